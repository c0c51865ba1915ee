package ssh

import "testing"

// A sum that was mistyped would not give a prime, let alone a safe one.
func TestNamedPrimesAreSafePrimes(t *testing.T) {
	for base, bits := range map[string]int{
		"diffie-hellman-group1-sha1": 1024, "diffie-hellman-group14-sha256": 2048, "diffie-hellman-group15-sha512": 3072,
		"diffie-hellman-group16-sha512": 4096, "diffie-hellman-group17-sha512": 6144, "diffie-hellman-group18-sha512": 8192,
	} {
		p, ok := primeOf(base, &publicValues{})
		if !ok || p.BitLen() != bits {
			t.Errorf("%s: %d bits", base, p.BitLen())
			continue
		}
		if bits <= 4096 && !p.ProbablyPrime(0) {
			t.Errorf("%s: not a prime", base)
		}
	}
}
