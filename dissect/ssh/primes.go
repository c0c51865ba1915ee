package ssh

import (
	"math/big"
	"strings"
)

// primeOf is the prime of a Diffie-Hellman exchange: the one that was sent in
// a group exchange, else the one that the method is named for.
func primeOf(base string, v *publicValues) (*big.Int, bool) {
	if v.prime != nil {
		p := new(big.Int).SetBytes(v.prime)
		return p, len(v.prime) <= maxPrime && p.Sign() > 0
	}
	for _, g := range [...]struct {
		prefix      string
		bits, delta uint
		add         int64
	}{
		// RFC 2409, section 6.2, and RFC 3526: all are made alike.
		{"diffie-hellman-group1-", 1024, 894, 129093},
		{"diffie-hellman-group14-", 2048, 1918, 124476},
		{"diffie-hellman-group15-", 3072, 2942, 1690314},
		{"diffie-hellman-group16-", 4096, 3966, 240904},
		{"diffie-hellman-group17-", 6144, 6014, 929484},
		{"diffie-hellman-group18-", 8192, 8062, 4743158},
	} {
		if strings.HasPrefix(base, g.prefix) {
			return pi(g.bits, g.delta, g.add), true
		}
	}
	return nil, false
}

// pi makes the prime 2^bits - 2^(bits-64) - 1 + 2^64 * (floor(2^delta * pi) +
// add), which is how RFC 2409 and RFC 3526 define theirs.
func pi(bits, delta uint, add int64) *big.Int {
	one := big.NewInt(1)
	p := new(big.Int).Lsh(one, bits)
	p.Sub(p, new(big.Int).Lsh(one, bits-64))
	p.Sub(p, one)
	middle := scaledPi(delta)
	middle.Add(middle, big.NewInt(add))
	return p.Add(p, middle.Lsh(middle, 64))
}

// scaledPi is floor(2^bits * pi), by Machin's formula with some bits to spare.
func scaledPi(bits uint) *big.Int {
	const spare = 64
	unit := new(big.Int).Lsh(big.NewInt(1), bits+spare)
	arctan := func(n int64) *big.Int { // arctan(1/n) in units
		square := big.NewInt(n * n)
		term := new(big.Int).Quo(unit, big.NewInt(n))
		sum := new(big.Int).Set(term)
		for k := int64(3); term.Sign() != 0; k += 2 {
			term.Quo(term, square)
			part := new(big.Int).Quo(term, big.NewInt(k))
			if k%4 == 3 {
				sum.Sub(sum, part)
			} else {
				sum.Add(sum, part)
			}
		}
		return sum
	}
	a := arctan(5)
	a.Mul(a, big.NewInt(16))
	b := arctan(239)
	b.Mul(b, big.NewInt(4))
	return a.Sub(a, b).Rsh(a, spare)
}
