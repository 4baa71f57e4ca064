package kernel

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// InterfaceType returns the ARPHRD_* number of an interface, which tells what its packets begin with. One that there is
// not is an *AttachError.
func InterfaceType(name string) (uint16, error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return 0, &AttachError{Reason: ReasonNoInterface, Detail: name}
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("ask about the interface %s: %w", name, err)
	}
	defer unix.Close(fd)
	err = unix.IoctlIfreq(fd, unix.SIOCGIFHWADDR, request)
	if errors.Is(err, unix.ENODEV) {
		return 0, &AttachError{Reason: ReasonNoInterface, Detail: name}
	}
	if err != nil {
		return 0, fmt.Errorf("ask about the interface %s: %w", name, err)
	}
	return request.Uint16(), nil // sa_family of the struct sockaddr there
}
