package ebpf

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is a version of the Linux kernel, as far as it tells what programs it can run. The zero value is before them all.
type Version struct{ Major, Minor int }

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Before reports whether v is older than w.
func (v Version) Before(w Version) bool {
	return v.Major < w.Major || v.Major == w.Major && v.Minor < w.Minor
}

// ReasonVersion says that a text is no version.
const ReasonVersion Reason = "this is not the version of a kernel"

// ParseVersion reads the version at the start of a release, such as uname -r prints: 6.18.44-generic is 6.18.
func ParseVersion(release string) (Version, error) {
	major, rest, ok := strings.Cut(strings.TrimPrefix(release, "v"), ".")
	if end := strings.IndexFunc(rest, func(c rune) bool { return c < '0' || c > '9' }); end >= 0 {
		rest = rest[:end]
	}
	a, err := strconv.ParseUint(major, 10, 16)
	b, err2 := strconv.ParseUint(rest, 10, 16)
	if !ok || err != nil || err2 != nil {
		return Version{}, fault(ReasonVersion, -1, "%s; a version is like 5.10", quoted(release))
	}
	return Version{int(a), int(b)}, nil
}
