package byzantine

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
)

func TestParse(t *testing.T) {
	all := known()
	for _, c := range []struct {
		text string
		want Spec
	}{
		{"silent", Spec{Profile: all.Lookup("silent")}},
		{"crash 40", Spec{Profile: all.Lookup("silent"), Main: "40"}},
		{"in-dark to=2,R1,2", Spec{Profile: all.Lookup("dark"), To: []consensus.ReplicaID{1, 2}}},
		{"delay 80%", Spec{Profile: all.Lookup("delay"), Main: "80%"}},
		{"delay by=80%", Spec{Profile: all.Lookup("delay"), Main: "80%"}},
		{"  slow   50ms ", Spec{Profile: all.Lookup("delay"), Main: "50ms"}},
		{"garbage how=flip", Spec{Profile: all.Lookup("garbage"), Options: map[string]string{"how": "flip"}}},
		{
			"drop 30% to=1,2 kind=prepare,COMMIT after=2s until=5s chance=0.5%",
			Spec{
				Profile: all.Lookup("drop"), Main: "30%", To: []consensus.ReplicaID{1, 2}, Kinds: []string{"COMMIT", "PREPARE"},
				Chance: 5000, After: 2e9, Until: 5e9,
			},
		},
		{"time -3s ticks=4", Spec{Profile: all.Lookup("time"), Main: "-3s", Options: map[string]string{"ticks": "4"}}},
		{"request-flood 5", Spec{Profile: all.Lookup("request-flood"), Main: "5"}},
	} {
		got, err := all.Parse(c.text)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %+v, %v", c.text, got, err)
		}
		again, err := all.Parse(got.String())
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%q is written as %q, which is read as %+v, %v", c.text, got, again, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"drop 30% 40%":                          "stands twice",
		"drop 30% share=40%":                    "stands twice",
		"drop to=1 to=2":                        "stands twice",
		"drop chance=0%":                        "leave it out",
		"drop chance=101%":                      "between 0% and 100%",
		"drop chance=1.00001%":                  "four decimals",
		"drop chance=-1%":                       "between 0% and 100%",
		"drop chance=30":                        "between 0% and 100%",
		"drop to=64":                            "below 64",
		"drop to=":                              "no value",
		"drop to=x":                             "numbers of replicas",
		"drop kind=PREPARE,,":                   "names of kinds",
		"drop after=2":                          "duration",
		"drop after=-2s":                        "duration",
		"drop after=25h":                        "at most 24h",
		"drop until=0s":                         "ends at once",
		"drop after=5s until=5s":                "behind after",
		"drop colour=red":                       "known are: to, kind, chance, after, until, share",
		"drop sha\x01=3":                        "known are",
		"drop 3\x7f":                            "do not print",
		"dark 3":                                "no main parameter",
		"drop" + strings.Repeat(" 1", maxWords): "words",
		"drop " + strings.Repeat("1", MaxText):  "bytes",
	} {
		_, err := known().Parse(text)
		var p *paramError
		if !errors.As(err, &p) || !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want it to say %q", text, err, want)
		}
	}
}

func TestParseNamesTheNearest(t *testing.T) {
	for text, nearest := range map[string]string{
		"silnet": "silent", "Drop": "drop", "dellay 3%": "delay", "in-drak": "in-dark", "qqqqqqqq": "", "": "", strings.Repeat("z", 900): "",
	} {
		_, err := known().Parse(text)
		var u *unknownError
		if !errors.As(err, &u) || !errors.Is(err, ErrSpec) || u.Nearest != nearest || len(u.Name) > 80 {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}
