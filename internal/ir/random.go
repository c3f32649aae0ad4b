package ir

// RandomBits returns four random 32-bit numbers for the counters: pcg4d of
// Jarzynski and Olano, "Hash Functions for GPU Rendering" (JCGT 9(3), 2020).
// Shaders hold the same function in WGSL, so that random numbers are the same
// on every device.
func RandomBits(seed, stream, step, element uint32) [4]uint32 {
	v := [4]uint32{seed, stream, step, element}
	for i := range v {
		v[i] = v[i]*1664525 + 1013904223
	}
	mix := func() {
		v[0] += v[1] * v[3]
		v[1] += v[2] * v[0]
		v[2] += v[0] * v[1]
		v[3] += v[1] * v[2]
	}
	mix()
	for i := range v {
		v[i] ^= v[i] >> 16
	}
	mix()
	return v
}

// Uniform maps 32 random bits to [0, 1), a multiple of 2^-24.
func Uniform(bits uint32) float32 { return float32(bits>>8) * 0x1p-24 }
