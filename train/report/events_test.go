package report

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// eventProto is the part of TensorBoard's event.proto, summary.proto and
// histogram.proto that event files of this package use, as a descriptor. It was
// written from those files, and knows nothing of the writer.
const eventProto = `
name: "event.proto" package: "tensorboard" syntax: "proto3"
message_type {
  name: "Event"
  field { name: "wall_time" number: 1 type: TYPE_DOUBLE label: LABEL_OPTIONAL }
  field { name: "step" number: 2 type: TYPE_INT64 label: LABEL_OPTIONAL }
  field { name: "file_version" number: 3 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "summary" number: 5 type: TYPE_MESSAGE type_name: ".tensorboard.Summary" label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "session_log" number: 7 type: TYPE_MESSAGE type_name: ".tensorboard.SessionLog" label: LABEL_OPTIONAL oneof_index: 0 }
  oneof_decl { name: "what" }
}
message_type {
  name: "SessionLog"
  field { name: "status" number: 1 type: TYPE_ENUM type_name: ".tensorboard.SessionLog.SessionStatus" label: LABEL_OPTIONAL }
  enum_type { name: "SessionStatus" value { name: "STATUS_UNSPECIFIED" number: 0 } value { name: "START" number: 1 } value { name: "STOP" number: 2 } value { name: "CHECKPOINT" number: 3 } }
}
message_type {
  name: "Summary"
  field { name: "value" number: 1 type: TYPE_MESSAGE type_name: ".tensorboard.Summary.Value" label: LABEL_REPEATED }
  nested_type {
    name: "Image"
    field { name: "height" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL }
    field { name: "width" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL }
    field { name: "colorspace" number: 3 type: TYPE_INT32 label: LABEL_OPTIONAL }
    field { name: "encoded_image_string" number: 4 type: TYPE_BYTES label: LABEL_OPTIONAL }
  }
  nested_type {
    name: "Value"
    field { name: "tag" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "simple_value" number: 2 type: TYPE_FLOAT label: LABEL_OPTIONAL oneof_index: 0 }
    field { name: "image" number: 4 type: TYPE_MESSAGE type_name: ".tensorboard.Summary.Image" label: LABEL_OPTIONAL oneof_index: 0 }
    field { name: "histo" number: 5 type: TYPE_MESSAGE type_name: ".tensorboard.HistogramProto" label: LABEL_OPTIONAL oneof_index: 0 }
    oneof_decl { name: "value" }
  }
}
message_type {
  name: "HistogramProto"
  field { name: "min" number: 1 type: TYPE_DOUBLE label: LABEL_OPTIONAL }
  field { name: "max" number: 2 type: TYPE_DOUBLE label: LABEL_OPTIONAL }
  field { name: "num" number: 3 type: TYPE_DOUBLE label: LABEL_OPTIONAL }
  field { name: "sum" number: 4 type: TYPE_DOUBLE label: LABEL_OPTIONAL }
  field { name: "sum_squares" number: 5 type: TYPE_DOUBLE label: LABEL_OPTIONAL }
  field { name: "bucket_limit" number: 6 type: TYPE_DOUBLE label: LABEL_REPEATED options { packed: true } }
  field { name: "bucket" number: 7 type: TYPE_DOUBLE label: LABEL_REPEATED options { packed: true } }
}`

// get is a field of a message, by a path of names; a number picks of a list.
func get(t *testing.T, m protoreflect.Message, path string) protoreflect.Value {
	t.Helper()
	v := protoreflect.ValueOfMessage(m)
	for name := range strings.SplitSeq(path, ".") {
		fields := v.Message().Descriptor().Fields()
		f := fields.ByName(protoreflect.Name(name))
		if f == nil {
			t.Fatalf("no field %s in %s", name, v.Message().Descriptor().FullName())
		}
		if v = v.Message().Get(f); f.IsList() && f.Kind() == protoreflect.MessageKind {
			if v.List().Len() != 1 {
				t.Fatalf("%d of %s, want 1", v.List().Len(), name)
			}
			v = v.List().Get(0)
		}
	}
	return v
}

// readEvents reads an event file: the frames by the description of TFRecord, the
// messages by the protobuf library from eventProto. Fields that those do not know
// fail.
func readEvents(t *testing.T, file []byte) (all []protoreflect.Message) {
	t.Helper()
	var d descriptorpb.FileDescriptorProto
	if err := prototext.Unmarshal([]byte(eventProto), &d); err != nil {
		t.Fatal(err)
	}
	fd, err := protodesc.NewFile(&d, nil)
	if err != nil {
		t.Fatal(err)
	}
	sum := func(b []byte) uint32 {
		crc := crc32.New(crc32.MakeTable(crc32.Castagnoli))
		crc.Write(b)
		c := crc.Sum32()
		return ((c >> 15) | (c << 17)) + 0xa282ead8
	}
	for at := 0; at < len(file); {
		if len(file)-at < 16 {
			t.Fatalf("%d bytes at %d, want a record", len(file)-at, at)
		}
		n := int(binary.LittleEndian.Uint64(file[at:]))
		if got, want := binary.LittleEndian.Uint32(file[at+8:]), sum(file[at:at+8]); got != want {
			t.Fatalf("checksum of the length at %d is %#x, want %#x", at, got, want)
		}
		data := file[at+12 : at+12+n]
		if got, want := binary.LittleEndian.Uint32(file[at+12+n:]), sum(data); got != want {
			t.Fatalf("checksum of the data at %d is %#x, want %#x", at, got, want)
		}
		at += 16 + n
		m := dynamicpb.NewMessage(fd.Messages().ByName("Event"))
		if err := proto.Unmarshal(data, m); err != nil {
			t.Fatal(err)
		}
		known(t, m)
		all = append(all, m)
	}
	return all
}

// known fails where a message has a field that its description does not.
func known(t *testing.T, m protoreflect.Message) {
	t.Helper()
	if u := m.GetUnknown(); len(u) > 0 {
		t.Fatalf("%s has unknown fields: %x", m.Descriptor().FullName(), []byte(u))
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Kind() == protoreflect.MessageKind && f.IsList() {
			for i := range v.List().Len() {
				known(t, v.List().Get(i).Message())
			}
		} else if f.Kind() == protoreflect.MessageKind {
			known(t, v.Message())
		}
		return true
	})
}

// TestMaskedCRC has the known CRC32C of RFC 3720, B.4, behind the mask.
func TestMaskedCRC(t *testing.T) {
	zeros := uint32(0x8a9136aa) // CRC32C of 32 bytes of zero
	want := (zeros>>15 | zeros<<17) + 0xa282ead8
	if got := maskedCRC(make([]byte, 32)); got != want {
		t.Errorf("got %#x, want %#x", got, want)
	}
}

func TestEvents(t *testing.T) {
	var file bytes.Buffer
	at := time.Unix(1700000000, 250e6)
	e, err := newEvents(&file, func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	img := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	img.SetNRGBA(2, 1, color.NRGBA{1, 2, 3, 255})
	values := []float32{-1, 0, 0.25, 0.26, 3, float32(math.NaN()), float32(math.Inf(1))}
	for _, err := range []error{
		e.Scalar("loss/train", 7, 0.5), e.Scalar("odd", 1<<40, math.Inf(-1)), e.Histogram("weights/0.weight", 8, values), e.Image("filters", 9, img), e.Restart(10),
		e.Histogram("none", 11, []float32{float32(math.NaN())}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	all := readEvents(t, file.Bytes())
	if len(all) != 6 {
		t.Fatalf("%d events, want 6", len(all))
	}
	if got := get(t, all[0], "file_version").String(); got != "brain.Event:2" {
		t.Errorf("version %q", got)
	}
	for i, want := range []int64{0, 7, 1 << 40, 8, 9, 10} {
		if step, wall := get(t, all[i], "step").Int(), get(t, all[i], "wall_time").Float(); step != want || wall != 1700000000.25 {
			t.Errorf("event %d at step %d, %v, want %d, 1700000000.25", i, step, wall, want)
		}
	}
	if tag, v := get(t, all[1], "summary.value.tag").String(), get(t, all[1], "summary.value.simple_value").Float(); tag != "loss/train" || v != 0.5 {
		t.Errorf("%s is %v", tag, v)
	}
	if v := get(t, all[2], "summary.value.simple_value").Float(); !math.IsInf(v, -1) {
		t.Errorf("got %v, want -Inf", v)
	}
	h := get(t, all[3], "summary.value.histo").Message()
	for name, want := range map[string]float64{"min": -1, "max": 3, "num": 5, "sum": 2.51, "sum_squares": 1 + 0.0625 + 0.0676 + 9} {
		if got := get(t, h, name).Float(); math.Abs(got-want) > 1e-6 {
			t.Errorf("histogram: %s is %v, want %v", name, got, want)
		}
	}
	limits, counts := get(t, h, "bucket_limit").List(), get(t, h, "bucket").List()
	if limits.Len() != counts.Len() || limits.Len() == 0 {
		t.Fatalf("%d limits, %d counts", limits.Len(), counts.Len())
	}
	// Every number is below the limit of its bucket, and not below the one before.
	for _, v := range values[:5] {
		n, inside := 0.0, 0.0
		for i := range limits.Len() {
			low := math.Inf(-1)
			if i > 0 {
				low = limits.Get(i - 1).Float()
			}
			if high := limits.Get(i).Float(); low >= high {
				t.Fatalf("limits %v, %v are not in order", low, high)
			} else if float64(v) >= low && float64(v) < high {
				n++
				inside = counts.Get(i).Float()
			}
		}
		if n != 1 || inside < 1 {
			t.Errorf("%v is in %v buckets, with %v numbers", v, n, inside)
		}
	}
	m := get(t, all[4], "summary.value.image").Message()
	if h, w, c := get(t, m, "height").Int(), get(t, m, "width").Int(), get(t, m, "colorspace").Int(); h != 2 || w != 3 || c != 4 {
		t.Errorf("image of %dx%d, colours %d", h, w, c)
	}
	back, err := png.Decode(bytes.NewReader(get(t, m, "encoded_image_string").Bytes()))
	if err != nil || color.NRGBAModel.Convert(back.At(2, 1)) != (color.NRGBA{1, 2, 3, 255}) {
		t.Errorf("the image is not the one that was written: %v", err)
	}
	if got := get(t, all[5], "session_log.status").Enum(); got != 1 {
		t.Errorf("status %v, want START", got)
	}
}

// failing is a writer whose disk is full.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, image.ErrFormat }

func TestEventsError(t *testing.T) {
	if _, err := NewEvents(failing{}); err == nil || !strings.HasPrefix(err.Error(), "report: ") {
		t.Errorf("got %v", err)
	}
}

func TestEventsName(t *testing.T) {
	a, b := EventsName(time.Unix(1700000000, 5)), EventsName(time.Unix(1700000000, 12))
	if a >= b || !strings.HasPrefix(a, "events.out.tfevents.1700000000.") {
		t.Errorf("%s, %s: want names in order", a, b)
	}
}
