package ebpf

// helperNames are the names of the helper functions that programs here call, as the kernel prints them.
var helperNames = map[int32]string{
	HelperPrandomU32:   "bpf_get_prandom_u32",
	HelperProcessorID:  "bpf_get_smp_processor_id",
	HelperSkbLoadBytes: "bpf_skb_load_bytes",
}

// helperName is the kernel's name of a helper; "unknown", as the kernel says it, for others.
func helperName(id int32) string {
	if name, ok := helperNames[id]; ok {
		return name
	}
	return "unknown"
}
