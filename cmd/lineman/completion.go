package main

import (
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
)

// shells are those that have completions.
var shells = []string{"bash", "zsh", "fish", "powershell"}

func completionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "completion bash|zsh|fish|powershell", Short: "Write what a shell needs to complete this command",
		ValidArgs: shells,
		Long: `Write the script by which a shell completes commands, flags, their values and files.

  source <(lineman completion bash)             in this bash, which needs the package bash-completion
  lineman completion zsh > "${fpath[1]}/_lineman"
  lineman completion fish > ~/.config/fish/completions/lineman.fish
  lineman completion powershell | Out-String | Invoke-Expression

For every bash of this user: lineman completion bash > ~/.local/share/bash-completion/completions/lineman. What exists
on a server only, such as uids and channels, is not completed.`,
		Args: func(c *cobra.Command, args []string) error {
			if cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs)(c, args) != nil {
				return &usageError{errors.New("want: completion bash|zsh|fish|powershell")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			switch out := c.OutOrStdout(); args[0] {
			case "bash":
				return c.Root().GenBashCompletionV2(out, true)
			case "zsh":
				return c.Root().GenZshCompletion(out)
			case "fish":
				return c.Root().GenFishCompletion(out, true)
			default:
				return c.Root().GenPowerShellCompletionWithDesc(out)
			}
		},
	}
}

// complete tells cobra how the arguments and flags of a command, and of those below it, are completed. An argument that
// says nothing about itself is no file.
func complete(c *cobra.Command) {
	if c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 {
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if _, ok := c.GetFlagCompletionFunc(f.Name); !ok {
			_ = c.RegisterFlagCompletionFunc(f.Name, flagCompletion(f)) // it is a flag of c
		}
	})
	for _, below := range c.Commands() {
		complete(below)
	}
}

// flagCompletion is how a flag is completed that says nothing else: by the words that it may have, else by files where
// its value is the name of one, or may be.
func flagCompletion(f *pflag.Flag) cobra.CompletionFunc {
	value, _ := pflag.UnquoteUsage(f)
	words := config.Words(f)
	switch {
	case len(words) > 0:
		return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	case f.Name == "config":
		return yamlFiles
	case value == "file", config.MayBeFile(f):
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
	}
	return cobra.NoFileCompletions
}

// completeWords has a flag of a command completed by words.
func completeWords(c *cobra.Command, flag string, words ...string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// yamlFiles completes names of files of settings.
func yamlFiles(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt
}

// pushKinds are the words that push begins with.
var pushKinds = []cobra.Completion{
	cobra.CompletionWithDesc("uid", "the pages of a uid"), cobra.CompletionWithDesc("group", "those of a group"),
	cobra.CompletionWithDesc("channel", "the subscribers of a channel"),
	cobra.CompletionWithDesc("conn", "one connection, by the name that list answers"),
	cobra.CompletionWithDesc("all", "every page"),
}

func completePush(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return pushKinds, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}
