// Package safetensors reads and writes the safetensors file format: named
// tensors in and out, strictly, with nothing in the file that could run.
//
// Its nouns are the [Tensor] (an element type, a shape, little-endian bytes)
// and the [File] (tensors by name, and text metadata). The shortest useful
// program reads the weights of a trained layer:
//
//	f, err := safetensors.ReadFile("model.safetensors")
//	if err != nil {
//		log.Fatal(err)
//	}
//	weight, err := f.Tensors["fc.weight"].Float32()
//
// A file is eight bytes with the length of the header (little-endian), the
// header (a JSON object), and the data of every tensor, packed:
//
//	{"fc.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}
//
// The format: https://github.com/huggingface/safetensors, section Format.
//
// # Strictness
//
// A checkpoint that is read wrongly trains on without a word, so [Decode]
// accepts a file only if it can mean one thing. Beyond what the reference
// implementation checks (header of at most 100 MB, offsets without holes or
// overlaps, sizes that agree with the shapes, the file ending where the last
// tensor ends), it refuses duplicate and unknown keys, however they are
// escaped, and anything but spaces after the header's object. Every refusal
// is an [ErrFormat] that names the offset, what was found and what was wanted.
//
// Reading takes at most twice the size of the file plus 1 MiB of memory,
// whatever the file says. A header can cost more memory than bytes (a shape of
// ones is two bytes for each eight), so it is walked twice: once to check it
// and to count, and once, when the count fits, to fill storage of that size.
// What is given up: a file of more than about six thousand tensors is refused
// when those tensors hold less than about 250 bytes each. Encode refuses to
// write such a file.
//
// # Durability
//
// [WriteFile] and [WriteDurable] replace a file in one step: whoever looks at
// the path, at any moment, after any fault or kill, finds the old content or
// the new in whole. [File.Seal] and [File.CheckSeal] add a checksum, which
// finds what happens to the bytes afterwards.
package safetensors
