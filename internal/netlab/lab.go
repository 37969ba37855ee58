package netlab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// ErrUnavailable: this machine makes no network namespaces for this user.
var ErrUnavailable = errors.New("no network namespaces here: they need Linux, root and the program ip")

// Lab is a bridge and hosts around it, each in a network namespace of its own.
// Not safe for concurrent use.
type Lab struct {
	prefix string
	hosts  int
	subnet int
}

// nowhere is a hardware address that nobody has: what is sent to it arrives
// nowhere, and its sender never learns.
const nowhere = "02:00:00:00:00:fe"

// New makes a lab of so many hosts (at most 200). It fails, wrapping
// ErrUnavailable, where that is not possible; then nothing is left behind.
func New(hosts int) (*Lab, error) {
	if hosts < 1 || hosts > 200 {
		return nil, fmt.Errorf("a lab of %d hosts: between 1 and 200 are possible", hosts)
	}
	if os.Geteuid() != 0 {
		return nil, ErrUnavailable
	}
	sweep(namespaces)
	pid := os.Getpid()
	var err error
	for try := range labs {
		l := &Lab{prefix: fmt.Sprintf("q%s%c", strconv.FormatInt(int64(pid%(1<<24)), 36), 'a'+rune(try)), subnet: 1 + (pid*labs+try)%250}
		if err = ip("link add " + l.prefix + "b type bridge"); err == nil {
			if err = l.build(hosts); err == nil {
				return l, nil
			}
			err = errors.Join(err, l.Close())
		}
		if !strings.Contains(err.Error(), "File exists") {
			break
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// namespaces is where the program ip keeps them by name.
const namespaces = "/run/netns"

// orphan is the name of a host of a lab, with the process whose it is.
var orphan = regexp.MustCompile(`^(q([0-9a-z]+)[a-h])n[0-9]+$`)

// sweep removes the labs of processes that were killed before they could: their
// namespaces outlive them. What it cannot remove stays.
func sweep(dir string) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return // there are none
	}
	left := map[string]*Lab{}
	for _, e := range all {
		name := orphan.FindStringSubmatch(e.Name())
		if name == nil {
			continue
		}
		pid, err := strconv.ParseInt(name[2], 36, 32)
		if err != nil || exists(pid) {
			continue
		}
		if left[name[1]] == nil {
			left[name[1]] = &Lab{prefix: name[1]}
		}
		left[name[1]].hosts++
	}
	for _, l := range left {
		_ = l.Close()
	}
}

// exists reports whether a process is running.
func exists(pid int64) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err == nil
}

// labs is how many a process may have, those included that were just closed: the
// kernel takes their links away a moment later.
const labs = 8

func (l *Lab) build(hosts int) error {
	steps := []string{
		"addr add " + l.outside() + "/24 dev " + l.prefix + "b",
		"link set " + l.prefix + "b up",
	}
	for i := range hosts {
		port, space := fmt.Sprintf("%sp%d", l.prefix, i), l.namespace(i)
		steps = append(steps,
			"netns add "+space,
			"link add "+port+" type veth peer name eth0 netns "+space,
			"link set "+port+" master "+l.prefix+"b up",
			"-n "+space+" addr add "+l.Address(i)+"/24 dev eth0",
			"-n "+space+" link set eth0 up",
			"-n "+space+" link set lo up",
		)
	}
	for _, s := range steps {
		if strings.HasPrefix(s, "netns add") {
			l.hosts++
		}
		if err := ip(s); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) namespace(i int) string { return fmt.Sprintf("%sn%d", l.prefix, i) }

// Address is host i's.
func (l *Lab) Address(i int) string { return fmt.Sprintf("10.231.%d.%d", l.subnet, i+1) }

// outside is the address of the machine itself on the bridge: it reaches every
// host, and no Cut concerns it.
func (l *Lab) outside() string { return fmt.Sprintf("10.231.%d.254", l.subnet) }

// Command is argv, run on host i. The process is the command's own.
func (l *Lab) Command(i int, argv []string) []string {
	return append([]string{"ip", "netns", "exec", l.namespace(i)}, argv...)
}

// Cut loses, or no longer, every packet from one host to another. The other
// direction is left as it is.
func (l *Lab) Cut(from, to int, on bool) error {
	at := "-n " + l.namespace(from) + " neigh "
	if on {
		return ip(at + "replace " + l.Address(to) + " lladdr " + nowhere + " nud permanent dev eth0")
	}
	if err := ip(at + "del " + l.Address(to) + " dev eth0"); err != nil && !strings.Contains(err.Error(), "No such file") {
		return err
	}
	return nil
}

// Close removes everything. It may be called again.
func (l *Lab) Close() error {
	var errs []error
	for ; l.hosts > 0; l.hosts-- {
		if err := ip("netns del " + l.namespace(l.hosts-1)); err != nil && !strings.Contains(err.Error(), "No such file") {
			errs = append(errs, err)
		}
	}
	if err := ip("link del " + l.prefix + "b"); err != nil && !strings.Contains(err.Error(), "Cannot find device") {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// ip runs the program ip with words.
func ip(words string) error {
	out, err := exec.Command("ip", strings.Fields(words)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", words, err, strings.TrimSpace(string(out)))
	}
	return nil
}
