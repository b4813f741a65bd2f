package cli

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Choices are the values that flags may have, by their names, beyond what a flag's placeholder (such as "rgb|bgr") says.
type Choices map[string][]string

// Completion is the command that prints a shell's completion script. Parse needs to be given [Choices] to bind.
type Completion struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help says how the script is used.
func (Completion) Help() string {
	return `To use it in the running shell, and in others put the line into ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish:

  bash  source <(COMMAND completion bash)
  zsh   source <(COMMAND completion zsh)
  fish  COMMAND completion fish | source`
}

// Run prints the script.
func (c *Completion) Run(parsed *kong.Context, choices Choices) error {
	s := newShellCommands(parsed.Model, choices)
	var err error
	if c.Shell == "fish" {
		_, err = io.WriteString(parsed.Stdout, s.fish())
	} else {
		_, err = io.WriteString(parsed.Stdout, s.bash(c.Shell == "zsh"))
	}
	return err
}

// shellCommands is a program's grammar as a shell needs it.
type shellCommands struct {
	program  string
	commands []shellCommand
}

type shellCommand struct {
	name, help string
	isDefault  bool // its flags may stand where no command does
	flags      []shellFlag
	choices    []string // of its first argument
}

type shellFlag struct {
	name, help string
	short      string
	takesValue bool
	choices    []string
}

func newShellCommands(app *kong.Application, choices Choices) *shellCommands {
	s := &shellCommands{program: app.Name}
	for _, n := range app.Children {
		c := shellCommand{name: n.Name, help: firstSentence(n.Help), isDefault: app.DefaultCmd == n}
		for _, group := range n.AllFlags(true) {
			for _, f := range group {
				c.flags = append(c.flags, shellFlags(f, choices)...)
			}
		}
		if len(n.Positional) > 0 {
			c.choices = n.Positional[0].EnumSlice()
			if n.Positional[0].Enum == "" {
				c.choices = nil
			}
		}
		s.commands = append(s.commands, c)
	}
	return s
}

func shellFlags(f *kong.Flag, choices Choices) []shellFlag {
	s := shellFlag{name: f.Name, help: firstSentence(f.Help), takesValue: !f.IsBool() && !f.IsCounter(), choices: choices[f.Name]}
	if f.Short != 0 {
		s.short = string(f.Short)
	}
	if s.choices == nil && f.Enum != "" {
		s.choices = f.EnumSlice()
	}
	if s.takesValue && s.choices == nil && placeholderChoices.MatchString(f.PlaceHolder) {
		for value := range strings.SplitSeq(f.PlaceHolder, "|") {
			if value == strings.ToLower(value) {
				s.choices = append(s.choices, value)
			}
		}
	}
	all := []shellFlag{s}
	if f.Tag.Negatable != "" {
		all = append(all, shellFlag{name: "no-" + f.Name, help: s.help})
	}
	return all
}

// placeholderChoices matches placeholders of which some part can be typed as it stands.
var placeholderChoices = regexp.MustCompile(`^[A-Za-z0-9]+(\|[A-Za-z0-9]+)+$`)

func firstSentence(help string) string {
	first, _, _ := strings.Cut(help, ". ")
	return strings.TrimSuffix(first, ".")
}

// bash returns a script for bash, or for zsh, which runs it through its own bashcompinit.
func (s *shellCommands) bash(zsh bool) string {
	var b strings.Builder
	function := "_" + strings.ReplaceAll(s.program, "-", "_")
	if zsh {
		b.WriteString("autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n")
	}
	var names []string
	for _, c := range s.commands {
		names = append(names, c.name)
	}
	fmt.Fprintf(&b, `%s() {
  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" command="" i
  if [[ $cur == "=" ]]; then cur=""; elif [[ $prev == "=" ]]; then prev="${COMP_WORDS[COMP_CWORD-2]}"; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${COMP_WORDS[i]}" in %s) command="${COMP_WORDS[i]}"; break ;; esac
  done
  COMPREPLY=()
  case "$command:$prev" in
`, function, strings.Join(names, "|"))
	for _, c := range s.commands {
		for _, f := range c.flags {
			if f.takesValue {
				fmt.Fprintf(&b, "    %s) COMPREPLY=($(compgen -W %s -- \"$cur\")); return ;;\n", c.flagPatterns(f), quote(strings.Join(f.choices, " ")))
			}
		}
		if c.choices != nil {
			fmt.Fprintf(&b, "    %s:%s) COMPREPLY=($(compgen -W %s -- \"$cur\")); return ;;\n", c.name, c.name, quote(strings.Join(c.choices, " ")))
		}
	}
	b.WriteString("  esac\n  case \"$command:$cur\" in\n")
	for _, c := range s.commands {
		var flags []string
		for _, f := range c.flags {
			flags = append(flags, "--"+f.name)
		}
		pattern := c.name + ":-*"
		if c.isDefault {
			pattern += "|:-*"
		}
		fmt.Fprintf(&b, "    %s) COMPREPLY=($(compgen -W %s -- \"$cur\")) ;;\n", pattern, quote(strings.Join(flags, " ")))
	}
	// Where nothing is found the shell completes the names of files.
	fmt.Fprintf(&b, "    :-*) COMPREPLY=($(compgen -W \"--help --version\" -- \"$cur\")) ;;\n    :*) if ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W %s -- \"$cur\")); fi ;;\n  esac\n}\ncomplete -o default -F %s %s\n", quote(strings.Join(names, " ")), function, s.program)
	return b.String()
}

// flagPatterns returns what "command:flag" is where the flag waits for its value.
func (c *shellCommand) flagPatterns(f shellFlag) string {
	spellings := []string{"--" + f.name}
	if f.short != "" {
		spellings = append(spellings, "-"+f.short)
	}
	var patterns []string
	for _, s := range spellings {
		patterns = append(patterns, c.name+":"+s)
		if c.isDefault {
			patterns = append(patterns, ":"+s)
		}
	}
	return strings.Join(patterns, "|")
}

// fish returns a script for fish, which shows what commands and flags are for.
func (s *shellCommands) fish() string {
	var b strings.Builder
	var names []string
	for _, c := range s.commands {
		names = append(names, c.name)
	}
	none := "not __fish_seen_subcommand_from " + strings.Join(names, " ")
	for _, c := range s.commands {
		fmt.Fprintf(&b, "complete -c %s -n %s -a %s -d %s\n", s.program, quote(none), c.name, quote(c.help))
		when := "__fish_seen_subcommand_from " + c.name
		if c.isDefault {
			when += "; or " + none
		}
		if c.choices != nil {
			fmt.Fprintf(&b, "complete -c %s -n %s -f -a %s\n", s.program, quote(when), quote(strings.Join(c.choices, " ")))
		}
		for _, f := range c.flags {
			fmt.Fprintf(&b, "complete -c %s -n %s -l %s", s.program, quote(when), f.name)
			if f.short != "" {
				fmt.Fprintf(&b, " -s %s", f.short)
			}
			switch {
			case f.takesValue && f.choices != nil:
				fmt.Fprintf(&b, " -x -a %s", quote(strings.Join(slices.Compact(f.choices), " ")))
			case f.takesValue:
				b.WriteString(" -r")
			}
			fmt.Fprintf(&b, " -d %s\n", quote(f.help))
		}
	}
	return b.String()
}

// quote returns text as one word of a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
