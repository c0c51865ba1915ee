package record

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

// whatJSONSays is the answer of encoding/json.
func whatJSONSays(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func TestEncoderAgreesWithEncodingJSON(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var e Encoder
	for range 200 {
		for _, r := range Types() {
			fill(rng, reflect.ValueOf(r).Elem(), 0)
			got, err := e.Append(nil, r)
			if err != nil {
				t.Fatal(err)
			}
			if want := whatJSONSays(t, r); string(got) != want {
				t.Fatalf("%s:\n got %s\nwant %s", r.Kind(), got, want)
			}
		}
	}
}

// fill sets what can be set to something, often nothing.
func fill(rng *rand.Rand, v reflect.Value, depth int) {
	if rng.IntN(4) == 0 && depth > 0 {
		v.SetZero()
		return
	}
	texts := []string{"", "a", "<b@example> & \"c\"\\", "äöü€😀\u2028\u2029", "bad \xff\xc3 end\xe2\x82", "\x00\x01\b\f\n\r\t\x1f\x7f", "0123456789abcdef"}
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Unix(rng.Int64N(4e9)-1e9, rng.Int64N(3)*rng.Int64N(1e9)).UTC()
		if rng.IntN(4) == 0 {
			*x = x.In(time.FixedZone("", 3600))
		}
		return
	case *netip.AddrPort:
		*x = netip.AddrPortFrom([]netip.Addr{{}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("::ffff:1.2.3.4")}[rng.IntN(4)], uint16(rng.Uint32()))
		return
	case *netip.Addr:
		*x = netip.MustParseAddr("2001:db8::1")
		return
	case *Secret:
		*x = NewSecret(texts[rng.IntN(len(texts))], "0a1b")
		return
	case *Text:
		*x = Masked(texts[rng.IntN(len(texts))], 1, 3)
		return
	case *Seconds:
		*x = Seconds(rng.Int64N(1e12) >> rng.IntN(40))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(texts[rng.IntN(len(texts))])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(rng.Int64() >> rng.IntN(64))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(rng.Uint64() >> rng.IntN(64))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(math.Ldexp(rng.NormFloat64(), rng.IntN(200)-100))
	case reflect.Pointer:
		if depth < 6 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(rng, v.Elem(), depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(rng, v.Field(i), depth+1)
			}
		}
	case reflect.Slice:
		n := rng.IntN(3)
		if depth > 5 {
			n = 0
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(rng, v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range rng.IntN(3) {
			k, x := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(rng, k, 1)
			fill(rng, x, depth+1)
			v.SetMapIndex(k, x)
		}
	}
}

// What no record holds today, and a record of tomorrow may.
func TestEncoderOfOtherTypes(t *testing.T) {
	type inner struct {
		A string `json:"a"`
		B int    `json:"b"`
	}
	type loop struct {
		Name string  `json:"name"`
		Next []*loop `json:"next,omitempty"`
	}
	type all struct {
		inner
		B      string          `json:"b"`
		Skip   string          `json:"-"`
		Bare   int             // its name is its own
		Any    any             `json:"any"`
		None   any             `json:"none"`
		Nil    *int            `json:"nil"`
		List   []string        `json:"list"`
		Bytes  []byte          `json:"bytes"`
		Array  [2]bool         `json:"array"`
		ByID   map[int]string  `json:"by_id"`
		Names  map[string]int  `json:"names"`
		Raw    json.RawMessage `json:"raw"`
		Zero   netip.Addr      `json:"zero,omitzero"`
		Loop   loop            `json:"loop"`
		Small  float32         `json:"small"`
		Floats []float64       `json:"floats"`
		Empty  struct{}        `json:"empty"`
		Ptr    **inner         `json:"ptr"`
	}
	in := &inner{"x", 1}
	v := all{inner: inner{"embedded", 2}, B: "outer", Any: in, List: nil, Bytes: []byte("\x00\xff!"),
		ByID: map[int]string{2: "two", 1: "one"}, Names: map[string]int{"b": 1, "a": 2}, Raw: json.RawMessage(`{"x":1}`),
		Loop: loop{"l", []*loop{{"m", nil}, nil}}, Small: 1e-7, Floats: []float64{0, 1e21, 1.5e-9, -123456.75, 1e-300}, Ptr: &in}
	var e Encoder
	for _, x := range []any{v, &v, nil, in, "text", 3, []any{1, "a", nil, 2.5}} {
		got, err := e.Append([]byte("before "), x)
		if want := "before " + whatJSONSays(t, x); err != nil || string(got) != want {
			t.Errorf("%T: %v\n got %s\nwant %s", x, err, got, want)
		}
	}
	if _, err := e.Append(nil, math.Inf(1)); err == nil {
		t.Error("infinity was written")
	}
	if _, err := e.Append(nil, 1.0); err != nil {
		t.Error("an error stuck:", err)
	}
}

func TestEncoderDoesNotAllocate(t *testing.T) {
	x := &HTTPExchange{Header: Header{Time: time.Unix(1, 2000).UTC(), Client: netip.MustParseAddrPort("192.0.2.1:80")}, Method: "GET",
		RequestHeaders: []Field{{Name: "Host", Value: Plain("a")}}, Request: &Content{Size: 3}}
	var e Encoder
	b := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { b, _ = e.Append(b[:0], x) }); n > 0 {
		t.Errorf("%v allocations for a record", n)
	}
}

func BenchmarkEncoder(b *testing.B) {
	call := &SOAPCall{Operation: "PlaceOrder", Request: &SOAPMessage{}}
	for range 12 {
		call.Request.Parameters = append(call.Request.Parameters, SOAPNode{Name: "item", Children: []SOAPNode{{Name: "id", Value: "1"}, {Name: "name", Value: "Part & more"}}})
	}
	b.Run("plan", func(b *testing.B) {
		var e Encoder
		var out []byte
		for b.Loop() {
			out, _ = e.Append(out[:0], call)
		}
		b.SetBytes(int64(len(out)))
	})
	b.Run("encoding/json", func(b *testing.B) {
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		for b.Loop() {
			out.Reset()
			_ = enc.Encode(call)
		}
		b.SetBytes(int64(out.Len()))
	})
}
