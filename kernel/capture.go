package kernel

// CaptureStats count packets.
type CaptureStats struct {
	Kept    uint64 // by the filter
	Dropped uint64 // of which for want of room, because nobody read them
}
