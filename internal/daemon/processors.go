package daemon

import (
	"os"
	"runtime"
)

// addProcessor lets one more thread run Go code than there are CPUs, unless GOMAXPROCS in
// the environment says how many, and returns what takes it back.
//
// While a pass keeps all of Go's threads busy, Go looks for requests that have arrived only
// every 10 ms. With one thread more, one of them waits for requests in the kernel, which
// wakes it at once. On two CPUs that halves the 99th percentile of the latency while a pass
// works at full speed. From then on, Go does not follow a control group whose CPU limit
// changes.
func addProcessor() (restore func()) {
	if os.Getenv("GOMAXPROCS") != "" {
		return func() {}
	}
	before := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(before + 1)
	return runtime.SetDefaultGOMAXPROCS
}
