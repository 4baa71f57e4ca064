#include "textflag.h"

// Numbers of the calls that the child makes for itself.
#define SYS_clone 56
#define SYS_prctl 157
#define SYS_seccomp 317

#define PR_SET_DUMPABLE 4
#define PR_SET_NO_NEW_PRIVS 38

// The layout of job and call.
#define job_installed 0
#define job_next 8
#define job_done 16
#define job_count 24
#define job_prog 32
#define job_calls 64
#define call_args 8
#define call_result 56
#define call_size 64

// func forkJob(shared *job) (pid int)
//
// R12 is the job, R13 the call, BX its index: the kernel clobbers RAX, RCX and R11 alone.
TEXT ·forkJob(SB), NOSPLIT, $0-16
	MOVQ	shared+0(FP), R12
	MOVQ	$SYS_clone, AX
	XORL	DI, DI	// a process of its own, and no signal when it ends
	XORL	SI, SI	// the same stack, copied on writing
	XORL	DX, DX
	XORL	R10, R10
	XORL	R8, R8
	SYSCALL
	TESTQ	AX, AX
	JEQ	child
	MOVQ	AX, pid+8(FP)
	RET

child:
	MOVQ	$SYS_prctl, AX
	MOVQ	$PR_SET_DUMPABLE, DI	// no core if the filter kills
	XORL	SI, SI
	SYSCALL
	MOVQ	$SYS_prctl, AX
	MOVQ	$PR_SET_NO_NEW_PRIVS, DI
	MOVQ	$1, SI
	XORL	DX, DX
	XORL	R10, R10
	XORL	R8, R8
	SYSCALL
	MOVQ	$SYS_seccomp, AX
	MOVQ	$1, DI	// SECCOMP_SET_MODE_FILTER
	XORL	SI, SI
	MOVQ	job_prog(R12), DX
	SYSCALL
	MOVQ	AX, job_installed(R12)
	XORL	BX, BX
	LEAQ	job_calls(R12), R13
	TESTQ	AX, AX
	JNE	done

next:
	MOVQ	BX, job_next(R12)
	CMPQ	BX, job_count(R12)
	JGE	done
	MOVQ	0(R13), AX
	MOVQ	(call_args+0)(R13), DI
	MOVQ	(call_args+8)(R13), SI
	MOVQ	(call_args+16)(R13), DX
	MOVQ	(call_args+24)(R13), R10
	MOVQ	(call_args+32)(R13), R8
	MOVQ	(call_args+40)(R13), R9
	SYSCALL
	MOVQ	AX, call_result(R13)
	ADDQ	$call_size, R13
	INCQ	BX
	JMP	next

done:
	MOVL	$1, job_done(R12)
	MOVL	$(1<<26), CX

wait:	// for the parent to kill; a child without a parent must end too
	PAUSE
	DECL	CX
	JNE	wait
	UD2
