package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/safetensors"
)

// Schema is the version of a run folder's config.json. [Open] refuses others.
const Schema = "pumice.run.1"

const configName = "config.json"

// Config is what a run was started with, as config.json holds it.
type Config struct {
	Schema   string            `json:"schema"`
	Start    time.Time         `json:"start"`
	Resumed  []Resumed         `json:"resumed,omitempty"`
	Flags    map[string]string `json:"flags"`    // whatever the program was told, by name
	Versions map[string]string `json:"versions"` // of the library, of Go, and the platform
	Device   Device            `json:"device"`
	Data     Data              `json:"data"`
	Model    Model             `json:"model"`
	Seed     uint32            `json:"seed"`
}

// Resumed is a process that went on with a run.
type Resumed struct {
	Time     time.Time         `json:"time"`
	Device   Device            `json:"device"`
	Flags    map[string]string `json:"flags"`
	Versions map[string]string `json:"versions"`
}

// UnmarshalJSON takes a time alone too, which is what older folders hold.
func (r *Resumed) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &r.Time); err == nil {
		return nil
	}
	type plain Resumed
	return json.Unmarshal(b, (*plain)(r))
}

// text is the time, and what is not as the run began.
func (r Resumed) text(c Config) string {
	s := r.Time.Format(timeFormat)
	if r.Device.Name != "" && r.Device != c.Device {
		s += ", on " + r.Device.Name
	}
	for _, of := range []struct {
		prefix   string
		now, old map[string]string
	}{{"--", r.Flags, c.Flags}, {"version of ", r.Versions, c.Versions}} {
		for name, v := range sorted(of.now) {
			if name != "resume" && v != of.old[name] {
				s += fmt.Sprintf(", %s%s %s", of.prefix, name, strconv.Quote(v))
			}
		}
	}
	return s
}

const timeFormat = "2006-01-02 15:04:05 MST"

// Device is where a run took place.
type Device struct {
	Name    string `json:"name"`
	Backend string `json:"backend"`
	Type    string `json:"type"`
	Driver  string `json:"driver"`
	Binding string `json:"binding"`
}

// Data is what a run learned from.
type Data struct {
	Name    string   `json:"name"`
	Train   int      `json:"train"` // examples
	Test    int      `json:"test"`
	Held    string   `json:"held,omitempty"` // what was measured after each epoch: "validation", or "test", the default
	Shape   []int    `json:"shape"`          // of one example
	Classes []string `json:"classes,omitempty"`
}

func (d Data) held() string {
	if d.Held == "" {
		return "test"
	}
	return d.Held
}

// Model is what a run trained.
type Model struct {
	Name       string `json:"name"`
	Parameters int    `json:"parameters"` // numbers that are not marked Frozen (layers.CountParams)
}

// DeviceOf describes a device.
func DeviceOf(dev *compute.Device) Device {
	i := dev.Info()
	return Device{Name: i.Name, Backend: i.Backend, Type: i.Type, Driver: i.Driver, Binding: i.Binding}
}

// Versions are those of this library, of Go and the platform, as far as the program
// knows them.
func Versions() map[string]string {
	v := map[string]string{"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH, "pumice": "unknown"}
	const module = "github.com/pumice-ml/pumice"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Path == module {
		v["pumice"] = info.Main.Version
	}
	for _, d := range info.Deps {
		if d.Path == module {
			v["pumice"] = d.Version
		}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && info.Main.Path == module {
			v["revision"] = s.Value
		}
	}
	return v
}

// Settings are the configuration as names and values, in the order of reading.
func (c Config) Settings() [][2]string {
	all := [][2]string{
		{"start", c.Start.Format(timeFormat)},
		{"device", c.Device.Name},
	}
	add := func(name, value string) {
		if value != "" {
			all = append(all, [2]string{name, value})
		}
	}
	add("backend", c.Device.Backend)
	add("adapter type", c.Device.Type)
	add("driver", c.Device.Driver)
	add("binding", c.Device.Binding)
	add("data", c.Data.Name)
	add("training examples", thousands(c.Data.Train))
	add("test examples", thousands(c.Data.Test))
	add("measured after each epoch", c.Data.Held)
	if len(c.Data.Shape) > 0 {
		add("shape of an example", fmt.Sprint(c.Data.Shape))
	}
	if len(c.Data.Classes) > 0 {
		add("classes", strconv.Itoa(len(c.Data.Classes)))
	}
	add("model", c.Model.Name)
	add("parameters", thousands(c.Model.Parameters))
	add("seed", strconv.FormatUint(uint64(c.Seed), 10))
	for name, v := range sorted(c.Flags) {
		add("--"+name, v)
	}
	for name, v := range sorted(c.Versions) {
		add("version: "+name, v)
	}
	for _, r := range c.Resumed {
		add("resumed", r.text(c))
	}
	return all
}

func (c Config) write(dir string) error {
	return safetensors.WriteDurable(filepath.Join(dir, configName), func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(c)
	})
}

// maxConfig bounds the files that readConfig takes.
const maxConfig = 16 << 20

func readConfig(dir string) (Config, error) {
	var c Config
	path := filepath.Join(dir, configName)
	b, err := readBounded(path, maxConfig)
	if err != nil {
		return c, fmt.Errorf("report: %w", err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("report: %s: %w", path, err)
	}
	if c.Schema != Schema {
		return c, fmt.Errorf("report: %s: schema is %q, want %q", path, c.Schema, Schema)
	}
	return c, nil
}

// readBounded reads a regular file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("%s: %s of %d bytes, want a regular file of at most %d", path, info.Mode(), info.Size(), limit)
	}
	return os.ReadFile(path)
}
