package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
)

// kvImportCommand is quorate kv import.
func kvImportCommand() *cli.Command {
	return &cli.Command{
		Name: "import", Usage: "store a directory tree: path → content", ArgsUsage: "DIR",
		Description: "Keys are the paths below DIR, separated by /. Skips and names everything that is not a\n" +
			"regular file, such as links. A file over the cluster's limits is an error before\n" +
			"anything is stored. Retries when a replica fails. After an interruption, run it\n" +
			"again: storing twice does no harm.",
		Flags: callerFlags(prefixFlag(), parallelFlag(), outputFlag(),
			timeoutFlag(2*time.Minute, "give up when nothing was stored for this long")),
		Action: does(1, 1, kvImport),
	}
}

// prefixFlag keeps several trees apart in one store.
func prefixFlag() cli.Flag {
	return &cli.StringFlag{Name: "prefix", Usage: "`TEXT` before every path, such as src/"}
}

// parallelFlag bounds the memory: each file under way is held whole.
func parallelFlag() cli.Flag {
	return numberFlag("parallel", 64, 1, maxCallers, "how many `FILES` to store at once")
}

// file is one file of a tree.
type file struct {
	path string // on this machine
	key  string
	size int64
}

// kvImport has a patience instead of a deadline: how long a tree takes nobody
// knows, but nothing being stored for minutes means that something is wrong.
func kvImport(c *cli.Context, args []string) error {
	return withAccess(c, func(a *access) error {
		if err := runsStore(&a.genesis); err != nil {
			return err
		}
		leaves(c, "nothing was stored")
		files, err := survey(args[0], c.String("prefix"), &a.genesis.Limits)
		if err != nil {
			return err
		}
		return a.withCaller(c.Context, session.Config{}, func(cl caller) error {
			leaves(c, "some files are stored: run the same import again, storing twice does no harm")
			p := newProgress("import", files)
			err := storeAll(c, client.KV{Invoker: cl}, files, p)
			p.finish(err == nil)
			if err != nil {
				return err
			}
			return p.summarize(c, "imported")
		})
	})
}

// survey lists the files of a tree in order, and refuses what the cluster's
// limits do not allow, before anything is stored.
func survey(dir, prefix string, l *consensus.Limits) ([]file, error) {
	if stat, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !stat.IsDir() {
		return nil, fmt.Errorf("%s is not a directory: store one file with `quorate kv put --file %s KEY`", dir, dir)
	}
	var files []file
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			note("skipping %s: not a regular file", path)
			return nil
		}
		f, err := examine(dir, path, prefix, d, l)
		files = append(files, f)
		return err
	})
	return files, err
}

// examine makes the key of one file and holds it against the limits. Paths have
// / between their parts on every system, so that any system can export them.
func examine(dir, path, prefix string, d fs.DirEntry, l *consensus.Limits) (file, error) {
	stat, err := d.Info()
	if err != nil {
		return file{}, err
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		return file{}, err
	}
	f := file{path: path, key: prefix + filepath.ToSlash(rel), size: stat.Size()}
	switch {
	case f.size > int64(l.ValueBytes):
		return f, fmt.Errorf("%s has %d bytes, the cluster's limit for a value is %d: nothing was stored", path, f.size, l.ValueBytes)
	case len(f.key) > l.KeyBytes:
		return f, fmt.Errorf("%s: its key has %d bytes, the cluster's limit is %d: nothing was stored", path, len(f.key), l.KeyBytes)
	}
	return f, nil
}

// storeAll stores the files with several under way at once, so that the client
// gathers them under few signatures. The first failure ends it.
func storeAll(c *cli.Context, store client.KV, files []file, p *progress) error {
	ctx, fail := context.WithCancelCause(c.Context)
	defer fail(nil)
	stop := p.watch(c.Duration("timeout"), func() { fail(context.DeadlineExceeded) })
	defer stop()
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(c.Int("parallel"), len(files)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(files)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if err := storeOne(ctx, store, &files[i]); err != nil {
					fail(err)
					return
				}
				p.done(files[i].size)
			}
		})
	}
	workers.Wait()
	if c.Context.Err() != nil && int(p.files.Load()) < len(files) {
		return &standing{fmt.Sprintf("%d of %d files are stored, and up to %d more may be: run the same import again, storing twice does no harm",
			p.files.Load(), len(files), min(c.Int("parallel"), len(files)-int(p.files.Load())))}
	}
	err := context.Cause(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return unreachable("nothing was stored for %v: %s shows why; %d of %d files are stored: run the import again", c.Duration("timeout"), advice(c, "status"), p.files.Load(), len(files))
	}
	return err
}

// storeOne stores one file, again if need be: storing the same value twice is
// harmless, so an unknown outcome is no reason to stop, and a leader may yet be
// elected: that nothing at all is stored for long ends the import.
func storeOne(ctx context.Context, store client.KV, f *file) error {
	value, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	for {
		_, err := store.Put(ctx, []byte(f.key), value)
		again := errors.Is(err, session.ErrUnknown) || errors.Is(err, session.ErrBusy) || errors.Is(err, session.ErrNoLeader)
		if err == nil || !again || errors.Is(err, session.ErrOlder) || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}
