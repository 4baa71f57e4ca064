package kernel

import "testing"

// TestKernelAnswers asks the kernel in each way once. A kernel that never answers hangs it, so that others can find out in
// time: .ci/run does.
func TestKernelAnswers(t *testing.T) {
	for _, err := range []error{Available(), ClassicAvailable(), SeccompAvailable()} {
		requireKernel(t, err)
	}
}
