package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// The scripts ask the program itself what could come next: urfave/cli answers
// a line that ends in --generate-bash-completion.
const (
	bashCompletion = `_quorate() {
  local cur="${COMP_WORDS[COMP_CWORD]}"
  local words=("${COMP_WORDS[@]:1:COMP_CWORD-1}")
  [[ "$cur" == -* ]] && words+=("$cur")
  local IFS=$'\n'
  COMPREPLY=($(compgen -W "$(quorate "${words[@]}" --generate-bash-completion 2>/dev/null)" -- "$cur"))
  [[ ${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- "$cur"))
}
complete -o filenames -F _quorate quorate
`
	zshCompletion = `#compdef quorate
_quorate() {
  local -a found
  local -a asked=("${(@)words[2,CURRENT-1]}")
  [[ "${words[CURRENT]}" == -* ]] && asked+=("${words[CURRENT]}")
  found=("${(@f)$(quorate "${asked[@]}" --generate-bash-completion 2>/dev/null)}")
  if [[ -n "${found[1]}" ]]; then
    _describe 'quorate' found
  else
    _files
  fi
}
compdef _quorate quorate
`
)

// completes answers what could come next: flags behind a dash, as everywhere,
// and otherwise the words that offer knows.
func completes(offer func(c *cli.Context) []string) cli.BashCompleteFunc {
	return func(c *cli.Context) {
		if raw, _ := c.App.Metadata[rawArgs].([]string); len(raw) > 1 && strings.HasPrefix(raw[len(raw)-2], "-") {
			cli.DefaultCompleteWithFlags(c.Command)(c)
			return
		}
		for _, word := range offer(c) {
			// Nobody is there to be told that the shell has gone.
			_, _ = fmt.Fprintln(c.App.Writer, word)
		}
	}
}

// completionCommand is quorate completion.
func completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", Usage: "print a script that completes command lines", ArgsUsage: "bash|zsh|fish",
		Description: "bash: source <(quorate completion bash)\nzsh:  source <(quorate completion zsh)\nfish: quorate completion fish | source",
		Action:      does(1, 1, completion),
	}
}

// completion prints a script; nothing is installed anywhere.
func completion(c *cli.Context, args []string) error {
	script := ""
	switch args[0] {
	case "bash":
		script = bashCompletion
	case "zsh":
		script = zshCompletion
	case "fish":
		var err error
		if script, err = c.App.ToFishCompletion(); err != nil {
			return err
		}
	default:
		return usageError("%q: choose bash, zsh or fish", args[0])
	}
	_, err := fmt.Fprint(c.App.Writer, script)
	return err
}
