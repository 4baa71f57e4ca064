// Package jit turns extended BPF programs into x86-64 machine code and runs it inside the Go process, without cgo.
// [Compile] takes programs of the ABI User, [CompileSeccomp] and [CompileBuffer] those of two others.
//
// [Compile] makes a [Func]: sealed code pages that hold the program and a loop over packets around it. [Func.RunBatch]
// runs many packets in one entry, which is where the speed is; [Func.Run] runs one. Both may be called from many
// goroutines at once, and [Func.Close] waits for none of them: the pages go when the last run has ended.
//
// # Safety
//
// A program is compiled only if ebpf.Check accepts it. A load that the checker proves to be in bounds runs bare; every
// other is checked when it happens, and a failing one ends the run with a [FaultError]. Descriptors are checked against
// their buffer by the generated code itself. Pages are written first and then made executable, never both at once.
//
// The race detector does not see what generated code reads and writes.
//
// # Many packets at once
//
// On processors with AVX-512, RunBatch evaluates 16 packets at once, on those with AVX2 eight, where that is faster; the
// verdicts are the same. Which is faster depends on the packets: RunBatch takes the time of both on some hundreds of them,
// at first and now and then, and an estimate serves for batches too small for that. Groups with a packet that is very short
// are left to the code for single packets, and so are programs that call functions, look at the properties of packets, or
// calculate what vectors cannot: [Func.Vector] tells which. The vector body is made when a batch wants it first.
// [Func.SetVector] and the environment variable CBPF2EBPF_VECTOR=never do without.
//
// # Profiles
//
// A CPU profile of Go shows machine code as runtime._ExternalCode. Which program it was can be told by a label:
//
//	pprof.Do(ctx, pprof.Labels("jit", "tcp port 80"), func(context.Context) { err = f.RunBatch(buf, descs, nil, verdicts) })
//
// For perf, a [PerfMap] names it.
//
// # Where there is no JIT
//
// On other platforms, and where the system denies executable memory, Compile returns an [UnavailableError]. [New] then
// hands out a Func that interprets, and says why.
package jit
