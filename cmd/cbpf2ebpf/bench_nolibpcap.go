//go:build !(libpcap && cgo)

package main

// addLibpcap adds nothing in a build without libpcap.
func (b *bench) addLibpcap() {}
