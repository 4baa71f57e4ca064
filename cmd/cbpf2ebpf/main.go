// Command cbpf2ebpf translates classic BPF programs, as tcpdump -d prints them, to extended BPF, runs them over packet
// traces, and shows that both versions agree.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitDone    = 0
	exitRefused = 1 // refused input, a failure, or a disagreement
	exitUsage   = 2
	exitPipe    = 128 + int(syscall.SIGPIPE) // nobody reads on: what a shell shows for any program that this ends
)

func main() {
	// A write to a broken pipe is an error like any other, so that what is half done can be taken away.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole command: it returns the exit status and touches nothing of the process but what it is given.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetIn(stdin)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	used, err := cmd.ExecuteC()
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "cbpf2ebpf: %v\ntry: %s --help\n", err, used.CommandPath())
		return exitUsage
	case errors.Is(err, syscall.EPIPE):
		return exitPipe
	case !errors.Is(err, errTold):
		fmt.Fprintf(stderr, "cbpf2ebpf: %v\n", err)
	}
	return exitRefused
}

// usageError is a command line that makes no sense.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// errTold ends a command with status 1 after it has said all there is to say.
var errTold = errors.New("")

func root() *cobra.Command {
	cmd := translateCommand()
	cmd.Use = "cbpf2ebpf [FILE]"
	cmd.Short = "Translate classic BPF to extended BPF, run both, and show that they agree"
	cmd.Long = cmd.Short + `.

Without a subcommand it translates: a classic program on stdin or in FILE, in any notation of tcpdump
or iptables, becomes an extended program on stdout.`
	cmd.Version = version()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SuggestionsMinimumDistance = 2
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w%s", err, suggestion(cmd, cmd.Flags().Arg(0)))
	})
	explicit := translateCommand()
	explicit.Use = "translate [FILE]"
	cmd.AddCommand(explicit, checkCommand(), printCommand(), runCommand(), diffCommand(), benchCommand(),
		loadCommand(), pinnedCommand(), extensionsCommand(), asmCommand(), disasmCommand(), injectCommand(), conformanceCommand())
	return cmd
}

// version is what the build knows of itself.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}

// atMostOneFile is the Args of commands that read one program.
func atMostOneFile(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		hint := suggestion(cmd, args[0])
		for _, form := range reportForms {
			if report := cmd.Flags().Lookup("report"); report != nil && report.Changed && slices.Contains(args, form.name) {
				hint = "; the form of a report goes with an equals sign: --report=" + form.name
			}
		}
		return usagef("one FILE at most, not %d: %q%s", len(args), args, hint)
	}
	return nil
}

// suggestion helps where what stands for a FILE of the root command may be a command misspelt.
func suggestion(cmd *cobra.Command, file string) string {
	if similar := cmd.SuggestionsFor(file); file != "" && len(similar) > 0 {
		return fmt.Sprintf("; did you mean the command %s?", similar[0])
	}
	return ""
}
