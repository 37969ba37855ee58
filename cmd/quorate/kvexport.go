package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/internal/noun"
)

// kvExportCommand is quorate kv export.
func kvExportCommand() *cli.Command {
	return &cli.Command{
		Name: "export", Usage: "write entries as files: key → path", ArgsUsage: "DIR",
		Description: "Creates DIR if needed. Without --force it must be empty. Checks all keys before it\n" +
			"writes anything: a key that is not a clean relative path, such as ../x or /x, is an\n" +
			"error. Nothing is ever written outside DIR.",
		Flags: callerFlags(prefixFlag(), outputFlag(),
			&cli.BoolFlag{Name: "keep-prefix", Usage: "keep the prefix in the paths"},
			&cli.BoolFlag{Name: "force", Usage: "write into a directory that is not empty, and overwrite its files"},
			orderedFlag(), timeoutFlag(10*time.Minute, giveUp)),
		Action: does(1, 1, kvExport),
	}
}

// export is one run of the command.
type export struct {
	store    client.KV
	prefix   string
	cut      int // bytes of a key that are no part of the path
	root     *os.Root
	made     map[string]bool // directories
	progress *progress       // nil before anything is written
}

// kvExport is one client from the survey to the last page.
func kvExport(c *cli.Context, args []string) error {
	x := &export{prefix: c.String("prefix"), made: map[string]bool{".": true}}
	if !c.Bool("keep-prefix") {
		x.cut = len(x.prefix)
	}
	return withStore(c, func(ctx context.Context, store client.KV) error {
		x.store = store
		if err := x.run(ctx, args[0], c.Bool("force")); err != nil {
			return x.explain(c, args[0], err)
		}
		return x.progress.summarize(c, "exported")
	})
}

// explain says how far an export came that ran out of time or was interrupted.
func (x *export) explain(c *cli.Context, dir string, err error) error {
	stand := "nothing was written"
	if x.progress != nil {
		stand = fmt.Sprintf("%d of %d files are written to %s: run the same export again with --force", x.progress.files.Load(), x.progress.count, dir)
	}
	switch {
	case c.Context.Err() != nil && errors.Is(err, context.Canceled):
		return &standing{stand}
	case errors.Is(err, context.DeadlineExceeded):
		return unreachable("the cluster did not answer within %v; %s; %s shows why", c.Duration("timeout"), stand, advice(c, "status"))
	}
	return err
}

// run reads page by page and writes as it reads: memory holds one page, however
// large the store is.
func (x *export) run(ctx context.Context, dir string, force bool) error {
	count, err := x.survey(ctx)
	if err != nil {
		return err
	}
	if err := prepare(dir, force); err != nil {
		return err
	}
	if x.root, err = os.OpenRoot(dir); err != nil {
		return err
	}
	defer func() { _ = x.root.Close() }()
	x.progress = newProgress("export", make([]file, count))
	for e, err := range x.store.Scan(ctx, []byte(x.prefix), false) {
		if err == nil {
			err = x.write(e)
		}
		if err != nil {
			x.progress.finish(false)
			return err
		}
		x.progress.done(int64(len(e.Value)))
	}
	x.progress.finish(true)
	return nil
}

// survey looks at all keys first, so that a bad one is found while nothing has
// been written.
func (x *export) survey(ctx context.Context) (count int, err error) {
	files := map[string]bool{}
	for e, err := range x.store.Scan(ctx, []byte(x.prefix), true) {
		if err != nil {
			return 0, err
		}
		name, err := x.pathOf(e.Key)
		if err != nil {
			return 0, err
		}
		files[name] = true
	}
	for name := range files {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if files[dir] {
				return 0, fmt.Errorf("%s is a key, and so is %s below it: one path cannot be a file and a directory; nothing was written", noun.Quote(dir), noun.Quote(name))
			}
		}
	}
	return len(files), nil
}

// pathOf is the path of a key below the directory. The rules hold on every
// system, whatever its separators are.
func (x *export) pathOf(key []byte) (string, error) {
	name := string(key)[x.cut:]
	clean := name != "" && name == path.Clean(name) && !path.IsAbs(name) && name != "." && name != ".." && !strings.HasPrefix(name, "../")
	if !clean || strings.ContainsAny(name, "\x00\\") {
		return "", fmt.Errorf("the key %s is not a safe path: export a --prefix without it, or remove it with `quorate kv del`", noun.Quote(key))
	}
	return name, nil
}

// prepare makes the directory, and refuses one with something in it.
func prepare(dir string, force bool) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 && !force {
		err = fmt.Errorf("%s is not empty: choose another directory, or --force", dir)
	}
	return err
}

// write makes one file, with the directories above it, whole or not at all. The root
// keeps it inside, also where links lead out: a link in its place is replaced.
func (x *export) write(e kv.Entry) error {
	name, err := x.pathOf(e.Key)
	if err != nil {
		return err
	}
	if dir := path.Dir(name); !x.made[dir] {
		if err := x.root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		x.made[dir] = true
	}
	part := path.Join(path.Dir(name), fmt.Sprintf(".quorate-export-%d.part", os.Getpid()))
	f, err := x.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(e.Value)
	if err = errors.Join(err, f.Close()); err == nil {
		err = x.root.Rename(part, name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), x.root.Remove(part))
	}
	return nil
}
