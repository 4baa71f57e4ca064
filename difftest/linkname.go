package difftest

import (
	"fmt"
	"strconv"
	"strings"
)

// LinkTypeNames lists the names that LinkTypeByName knows.
func LinkTypeNames() []string {
	var names []string
	for _, info := range links {
		if len(names) == 0 || names[len(names)-1] != info.name {
			names = append(names, info.name)
		}
	}
	return names
}

// LinkTypeByName returns the link type that tcpdump -y knows under that name, in upper or lower case; or the one of that
// number, for those that have no name here.
func LinkTypeByName(name string) (LinkType, error) {
	for _, info := range links {
		if strings.EqualFold(info.name, name) && info.link != 12 && info.link != 14 {
			return info.link, nil
		}
	}
	if n, err := strconv.ParseUint(name, 10, 16); err == nil {
		return LinkType(n), nil
	}
	return 0, fmt.Errorf("unknown link type %q; the link types are %s, and numbers", name, strings.Join(LinkTypeNames(), ", "))
}
