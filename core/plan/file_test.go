package plan

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"testing"

	"homeroom/core"
)

func TestImport(t *testing.T) {
	for _, c := range []struct {
		what, file string
		want       string // topics, or faults
	}{
		{"empty plan", `{"version":1,"topics":[]}`, ""},
		{"JSON", "{\"topics\":[\n{\"name\":\"a\",\"kind\":\"number\",\"max\":5},\n{\"name\":\"b\",\"text\":\"빛\",\"qos\":1,\"retain\":true,\"writable\":true}],\"version\":1}",
			"a  1 0..5 false 0 false\nb 빛 0 0..0 true 1 true\n"},
		{"CSV", "\ufeffName,kind,min,max\r\na,number,-1.5,5\r\n\"b\",,,\r\n", "a  1 -1.5..5 false 0 false\nb  0 0..0 false 0 false\n"},
		{"CSV of France", "name;kind;min;max;writable;text\na;Number;-1,5;5;TRUE;x, y\n", "a x, y 1 -1.5..5 true 0 false\n"},
		{"all that is wrong", "{\"version\":1,\"topics\":[\n{\"name\":\"a/+\"},\n{\"name\":\"ok\"},\n{\"name\":\"b\",\"qos\":\"one\"},\n{\"name\":\"c\",\"colour\":1},\n\n{\"name\":\"OK\"},{\"name\":\"ok\"},\n{\"name\":\"d\",\n\"qos\":300},{\"name\":\"e\",\"kind\":\"wood\"}, 7]}",
			"2: topics[0]: a/+ holds\n4: topics[2].qos: string does\n5: topics[3].colour: colour means\n7: topics[4]: OK would look like ok in line 3\n7: topics[5]: ok is in line 3\n9: topics[6].qos: number 300\n9: topics[7]: The values of e\n9: topics[8]: number does\n"},
		{"all that is wrong in CSV", "name,qos,writable\n$SYS/x,0,\nb,three,maybe\nb,0,true\nB,0,\nc,0,true,more\nd,7,\n",
			"2: name: $SYS/x begins\n3: qos: three does\n3: writable: maybe does\n5: name: B would look like b in line 4\n6: : This row has 4 cells\n7: name: The QoS of d is 7\n"},
		{"unknown key", "{\"version\":1,\n\"homes\":[]}", "2: homes: homes means nothing\n"},
		{"later version", `{"version":2,"topics":[]}`, "1: version: This Homeroom reads version 1\n"},
		{"no version", `{"topics":[]}`, "1: version: This is no plan\n"},
		{"a list", `[{"name":"a"}]`, "1: : This is no plan\n"},
		{"no list", `{"version":1,"topics":{"name":"a"}}`, "1: topics: There must be a list\n"},
		{"half", "{\"version\":1,\n\"topics\":[{\"name\":", "2: : This is no JSON\n"},
		{"two", "{\"version\":1}\n{}", "2: : This is no JSON\n"},
		{"nothing", "", "1: : The file is empty\n"},
		{"no header", "a,b\nc,d\n", "1: a: a means nothing\n1: b: b means nothing\n1: name: The first row\n"},
		{"column twice", "name,qos,qos\n", "1: qos: qos means nothing\n"},
		{"quotation mark", "name\n\"a\nb", "3: : A quotation mark\n"},
		{"Latin-1", "name\na\nb\xe9\n", "3: : This is no UTF-8\n"},
		{"depth", strings.Repeat("[", 20_000), "1: : This is no JSON\n"},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := service(t, &memory{})
			created, changed, err := s.Import(t.Context(), []byte(c.file))
			var faults Faults
			var got strings.Builder
			if errors.As(err, &faults) {
				want := strings.Split(c.want, "\n")
				for i, f := range faults {
					line := fmt.Sprintf("%d: %s: %s", f.Line, f.Path, f.Sentence)
					if i < len(want)-1 && strings.HasPrefix(line, want[i]) {
						line = want[i] // as much as is wanted
					}
					fmt.Fprintln(&got, line)
				}
				if !errors.Is(err, core.ErrInvalid) || len(s.Topics("#"))+created+changed != 0 {
					t.Error("half of it was taken")
				}
			} else if err != nil {
				t.Fatal(err)
			}
			for _, d := range s.Topics("#") {
				fmt.Fprintf(&got, "%s %s %d %v..%v %v %d %v\n", d.Name, d.Text, d.Kind, d.Min, d.Max, d.Writable, d.QoS, d.Retain)
			}
			if got.String() != c.want {
				t.Errorf("got\n%swant\n%s", &got, c.want)
			}
		})
	}
}

// TestImportBesideWhatIsThere changes what has the same name, and refuses what
// only looks the same.
func TestImportBesideWhatIsThere(t *testing.T) {
	s := service(t, &memory{})
	for _, d := range []core.Topic{{Name: "same", QoS: 1}, {Name: "other"}, {Name: "stays"}} {
		if err := s.CreateTopic(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	file := "name,qos\nsame,1\nother,2\nnew,0\n"
	if created, changed, err := s.Import(t.Context(), []byte(file)); created != 1 || changed != 1 || err != nil {
		t.Errorf("created %d, changed %d, %v", created, changed, err)
	}
	if created, changed, err := s.Import(t.Context(), []byte(file)); created != 0 || changed != 0 || err != nil {
		t.Errorf("again: created %d, changed %d, %v", created, changed, err)
	}
	_, _, err := s.Import(t.Context(), []byte("name,qos\nsame,0\nOther,2\n"))
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 1 || faults[0].Line != 3 {
		t.Errorf("%v", err)
	}
	if d, _ := s.Topic("same"); d.QoS != 1 || len(s.Topics("#")) != 4 {
		t.Errorf("%+v", d)
	}
}

func TestImportOfTooMany(t *testing.T) {
	var file bytes.Buffer
	file.WriteString("name\n")
	for i := range MaxTopics {
		fmt.Fprintf(&file, "a/%d\n", i)
	}
	s := service(t, &memory{})
	if created, _, err := s.Import(t.Context(), file.Bytes()); created != MaxTopics || err != nil {
		t.Fatalf("%d, %v", created, err)
	}
	if _, _, err := s.Import(t.Context(), []byte("name\none\n")); !errors.Is(err, core.ErrInvalid) {
		t.Errorf("one more: %v", err)
	}
	file.WriteString("one\n")
	if _, _, err := service(t, &memory{}).Import(t.Context(), file.Bytes()); !errors.Is(err, core.ErrInvalid) {
		t.Errorf("one more in the file: %v", err)
	}
	bad := strings.Repeat("+\n", 5000)
	_, _, err := s.Import(t.Context(), []byte("name\n"+bad))
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != maxFaults {
		t.Errorf("%d faults", len(faults))
	}
}

// FuzzImport takes any file. What is taken comes back the same from both exports,
// and no cell of the CSV is a formula.
func FuzzImport(f *testing.F) {
	f.Add([]byte(`{"version":1,"topics":[{"name":"a/b","kind":"number","min":-1e300,"max":0.1,"text":"=1+1\n\"x\""}]}`))
	f.Add([]byte("name,text,min,max,kind,qos,writable,retain\n=a,'=b,1,2,number,2,true,1\n\"-x\",\"y\nz\",,,,,,\n"))
	f.Add([]byte("name;min\na;1,5\n"))
	f.Add([]byte(`{"topics":[{"name":null},[],{"NAME":"x","qos":1e2}],"version":1e0}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		s := service(t, &memory{})
		created, changed, err := s.Import(t.Context(), file)
		var faults Faults
		if err != nil {
			if !errors.As(err, &faults) || len(faults) == 0 || len(s.Topics("#")) != 0 {
				t.Fatalf("%v", err)
			}
			for _, fault := range faults {
				if fault.Line < 1 || fault.Line > bytes.Count(file, []byte("\n"))+1 {
					t.Fatalf("line %d of %d", fault.Line, bytes.Count(file, []byte("\n"))+1)
				}
			}
			return
		}
		if created != len(s.Topics("#")) || changed != 0 {
			t.Fatalf("created %d, changed %d", created, changed)
		}
		var js, table bytes.Buffer
		if err := errors.Join(s.ExportJSON(&js), s.ExportCSV(&table)); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(table.Bytes())).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if strings.HasPrefix(row[0], "=") || strings.HasPrefix(row[1], "=") || strings.HasPrefix(row[1], "@") {
				t.Fatalf("a formula: %q", row)
			}
		}
		for _, back := range [][]byte{js.Bytes(), table.Bytes()} {
			if created, changed, err := s.Import(t.Context(), back); created != 0 || changed != 0 || err != nil {
				t.Fatalf("its own export is something else: created %d, changed %d, %v\n%s", created, changed, err, back)
			}
			other := service(t, &memory{})
			if created, _, err := other.Import(t.Context(), back); created != len(s.Topics("#")) || err != nil {
				t.Fatalf("%d topics of %d come back, %v", created, len(s.Topics("#")), err)
			}
		}
	})
}
