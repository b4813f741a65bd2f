package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

// Common are the flags of every command. Embed it in the grammar.
type Common struct {
	Config  Config      `placeholder:"FILE.yaml" help:"Read flags from a YAML file of the same names; flags on the command line win. Default: none."`
	JSON    bool        `name:"json" help:"Write one JSON object on one line to stdout, everything else to stderr. Default: off."`
	Version VersionFlag `help:"Print the version and exit."`
}

// VersionFlag prints the version and ends the command.
type VersionFlag bool

// BeforeReset implements kong's hook; it runs before anything is checked.
func (VersionFlag) BeforeReset(app *kong.Kong, vars kong.Vars) error {
	fmt.Fprintf(app.Stdout, "%s %s\n", app.Model.Name, vars["version"])
	app.Exit(ExitOK)
	return nil
}

// errDone ends a command that has said all, as --help does.
var errDone = errors.New("done")

// Parse parses args into grammar, a pointer to a struct with kong's tags that embeds
// [Common]. It prints help and version itself and then returns an error that [Run]
// takes for success. Mistakes are usage errors with a hint. It panics if the grammar
// is wrong.
func Parse(grammar any, name, description string, args []string, stdout, stderr io.Writer, options ...kong.Option) (ctx *kong.Context, err error) {
	type exit struct{}
	config := &config{}
	options = append([]kong.Option{
		kong.Name(name),
		kong.Description(description),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { panic(exit{}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, Summary: false}),
		kong.Vars{"version": Version()},
		kong.Bind(config),
	}, options...)
	parser, err := kong.New(grammar, options...)
	if err != nil {
		panic(fmt.Sprintf("cli: grammar of %s: %v", name, err))
	}
	defer func() {
		switch r := recover(); r.(type) {
		case nil:
		case exit:
			ctx, err = nil, errDone
		default:
			panic(r)
		}
	}()
	ctx, err = parser.Parse(joinNegative(args))
	if err != nil {
		return nil, Usage(config.blame(parseError(name, args, err)))
	}
	return ctx, nil
}

// negative is a number that kong would take for a short flag; no command has a flag that is a digit.
var negative = regexp.MustCompile(`^-\.?[0-9]|^-(?i:inf)$`)

// joinNegative writes "--flag -1" as "--flag=-1".
func joinNegative(args []string) []string {
	var out []string
	for _, a := range args {
		if n := len(out); n > 0 && negative.MatchString(a) && strings.HasPrefix(out[n-1], "--") && len(out[n-1]) > 2 && !strings.Contains(out[n-1], "=") {
			out[n-1] += "=" + a
			continue
		}
		out = append(out, a)
	}
	return out
}

// parseError adds to kong's errors what to do.
func parseError(name string, args []string, err error) error {
	var (
		parse *kong.ParseError
		h     *hinted
	)
	if !errors.As(err, &parse) || errors.As(err, &h) {
		return err
	}
	// The empty string stands for a flag that is not given: nobody types it.
	if text := err.Error(); strings.Contains(text, `must be one of "",`) {
		err = errors.New(strings.Replace(text, `must be one of "",`, "must be one of ", 1))
	}
	command := name
	if parse.Context != nil {
		if c := parse.Context.Selected(); c != nil {
			command = name + " " + strings.Fields(c.Path())[0]
		} else if d := parse.Context.Model.DefaultCmd; d != nil { // its flags are not among the program's own
			command = name + " " + d.Name
		}
		if wrong, commands := misspelt(parse.Context.Model, args); wrong != "" {
			return WithHint(err, "%s is neither a command nor a file or folder; the commands are %s", wrong, strings.Join(commands, ", "))
		}
	}
	return WithHint(err, "%s --help lists the flags and arguments", command)
}

// misspelt returns the first argument, with the commands that there are, if a default command
// took it for an argument of its own and it does not exist.
func misspelt(app *kong.Application, args []string) (wrong string, commands []string) {
	if app.DefaultCmd == nil || len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return "", nil
	}
	for _, c := range app.Children {
		if c.Name == args[0] {
			return "", nil
		}
		commands = append(commands, c.Name)
	}
	if _, err := os.Stat(args[0]); err == nil {
		return "", nil
	}
	return args[0], commands
}
