package serve

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func listen(t *testing.T, address string, p Page) *Server {
	t.Helper()
	s, err := Listen(address, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// counting is a page that counts how often it is rendered.
func counting(version, rendered *atomic.Int64) Page {
	return Page{
		Version: func() int { return int(version.Load()) },
		Render: func() ([]byte, int, error) {
			rendered.Add(1)
			return []byte("version " + strconv.Itoa(int(version.Load()))), int(version.Load()), nil
		},
		Script: "1",
	}
}

// Requests that ask for anything but the page, or by another name, are refused.
func TestRequests(t *testing.T) {
	var version, rendered atomic.Int64
	s := listen(t, ":0", counting(&version, &rendered))
	port := strconv.Itoa(s.listener.Addr().(*net.TCPAddr).Port)
	for _, c := range []struct {
		method, path, host string
		want               int
	}{
		{"GET", "/", "", 200},
		{"HEAD", "/", "", 200},
		{"GET", "/page", "", 200},
		{"GET", "/page?after=7", "", 200},
		{"GET", "/page?after=0", "", 204},
		{"GET", "/", "localhost:" + port, 200},
		{"GET", "/", "LOCALHOST:" + port, 200},
		{"GET", "/", "[::1]:" + port, 200},
		{"GET", "/", "evil.example:" + port, 421},
		{"GET", "/", "127.0.0.1.evil.example:" + port, 421},
		{"GET", "/", "localhost", 421},
		{"GET", "/", "localhost:1", 421},
		{"GET", "/page", "evil.example:" + port, 421},
		{"POST", "/", "", 405},
		{"PUT", "/page", "", 405},
		{"DELETE", "/", "", 405},
		{"OPTIONS", "/", "", 405},
		{"GET", "/config.yaml", "", 404},
		{"GET", "/../serve.go", "", 404},
		{"GET", "/%2e%2e/%2e%2e/etc/passwd", "", 404},
		{"GET", "//", "", 404},
		{"GET", "/page/", "", 404},
	} {
		r, err := http.NewRequest(c.method, "http://127.0.0.1:"+port+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.host != "" {
			r.Host = c.host
		}
		a, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(a.Body)
		a.Body.Close()
		if a.StatusCode != c.want || c.want != 200 && strings.Contains(string(body), "version") {
			t.Errorf("%s %s of %q: %d %s, want %d", c.method, c.path, c.host, a.StatusCode, body, c.want)
		}
		if csp := a.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || a.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %s: policy %q, headers %v", c.method, c.path, csp, a.Header)
		}
	}
	// Bytes that are no request end the connection and nothing else.
	conn, err := net.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "\x16\x03\x01 no request\r\n\r\n")
	io.Copy(io.Discard, conn)
	conn.Close()
	if a, err := http.Get(s.URL()); err != nil || a.StatusCode != 200 {
		t.Errorf("afterwards: %v, %v", a, err)
	}
}

// A page that changes all the time is rendered at most once each moment, however many ask.
func TestRendering(t *testing.T) {
	var version, rendered atomic.Int64
	s := listen(t, "127.0.0.1:0", counting(&version, &rendered))
	began := time.Now()
	for range 50 {
		version.Add(1)
		a, err := http.Get(s.URL())
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
	}
	if most := int64(time.Since(began)/often) + 1; rendered.Load() > most {
		t.Errorf("rendered %d times, want at most %d", rendered.Load(), most)
	}
	failing := listen(t, ":0", Page{Version: func() int { return 0 }, Render: func() ([]byte, int, error) { return nil, 0, errors.New("broken") }})
	if a, err := http.Get(failing.URL()); err != nil || a.StatusCode != 500 {
		t.Errorf("a page that cannot be made: %v, %v", a, err)
	}
}

func TestListen(t *testing.T) {
	var version, rendered atomic.Int64
	p := counting(&version, &rendered)
	for address, want := range map[string]string{"8080": "want :PORT", ":http": "no port", ":70000": "no port", "": "want :PORT"} {
		if s, err := Listen(address, p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, error %v, want one with %q", address, s, err, want)
		}
	}
	if s := listen(t, ":0", p); s.Exposed() || !strings.HasPrefix(s.URL(), "http://127.0.0.1:") {
		t.Errorf(":0 is %s, exposed: %v", s.URL(), s.Exposed())
	}
	if s := listen(t, "0.0.0.0:0", p); !s.Exposed() || !strings.HasPrefix(s.URL(), "http://127.0.0.1:") {
		t.Errorf("0.0.0.0:0 is %s, exposed: %v", s.URL(), s.Exposed())
	}
	if s := listen(t, "localhost:0", p); s.Exposed() || !strings.HasPrefix(s.URL(), "http://localhost:") {
		t.Errorf("localhost:0 is %s, exposed: %v", s.URL(), s.Exposed())
	}
	// A reader who does not read does not keep the server from ending.
	s := listen(t, ":0", p)
	conn, err := net.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(s.URL()); err == nil {
		t.Error("the server answers after Close")
	}
}
