package shaders

import "testing"

// TestFlatten takes braces off, and gives what they held names of its own.
func TestFlatten(t *testing.T) {
	const body = `fn f(x: u32) -> u32 {
    // a { in a comment
    var sum = x;
    {
        let d = g(x);
        sum += d;
        {
            let d = s.d + x_3;
            sum += d;
        }
    }
    {
        if sum > 3u { return 1u; }
        sum += 2u;
    }
    if sum > 4u {
        {
            return 4u;
        }
    }
    for (var i = 0u; i < 4u; i++) {
        { sum += i; }
    }
    {
        const half = 0.5;
        let x = x + half;
        sum += x;
    }
    {
        const half = 0.5;
        for (var i = 0u; i < 2u; i++) { sum += half; }
        for (var i = 0u; i < 2u; i++) { sum += half; }
    }
    return sum;
}
`
	const want = `fn f(x: u32) -> u32 {
    // a { in a comment
    var sum = x;
        let d_5 = g(x);
        sum += d_5;
            let d_4 = s.d + x_3;
            sum += d_4;
        if sum > 3u { return 1u; }
        sum += 2u;
    if sum > 4u {
        {
            return 4u;
        }
    }
    for (var i = 0u; i < 4u; i++) {
         sum += i; 
    }
    {
        const half = 0.5;
        let x = x + half;
        sum += x;
    }
        const half_8 = 0.5;
        for (var i_8 = 0u; i_8 < 2u; i_8++) { sum += half_8; }
        for (var i_8 = 0u; i_8 < 2u; i_8++) { sum += half_8; }
    return sum;
}
`
	if got := flatten(body); got != want {
		t.Errorf("got\n%s", got)
	}
}
