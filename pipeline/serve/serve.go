// Package serve shows a page that changes to browsers on the same machine, for as long as a process lasts.
//
// Nothing but that page can be asked for: there are no files behind it, and no request changes anything. Requests that name the
// server by a foreign host name are refused, so that a web site which has its own name lead here (DNS rebinding) reads nothing.
package serve

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Page is what is shown.
type Page struct {
	// Version returns a number that is another one when the page has changed. It is cheap.
	Version func() int
	// Render returns the page as HTML, and its version.
	Render func() (html []byte, version int, err error)
	// Script is the script of the page; no other runs.
	Script string
}

// often is how long a rendered page is shown again before it is rendered anew: however many browsers ask, a
// run is not slowed down.
const often = 500 * time.Millisecond

// Server is a listening server.
type Server struct {
	page     Page
	listener net.Listener
	server   *http.Server
	host     string // that was asked for; empty for none
	security string // Content-Security-Policy

	mu       sync.Mutex
	html     []byte
	version  int
	rendered time.Time
}

// Listen begins to show the page on an address of the form "[HOST]:PORT". Without a host only this machine can reach it; port 0
// is any that is free.
func Listen(address string, p Page) (*Server, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%q is no address: want :PORT, such as :0 for any free one, or HOST:PORT", address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return nil, fmt.Errorf("%q is no port: want a number from 0, any free one, to 65535", port)
	}
	listen := host
	if listen == "" {
		listen = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(listen, port))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(p.Script))
	s := &Server{page: p, listener: l, host: strings.ToLower(host),
		security: "default-src 'none'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; script-src 'sha256-" +
			base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
	s.server = &http.Server{
		Handler: s, ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 1 << 14,
	}
	go s.server.Serve(l) // until Close
	return s, nil
}

// URL returns where the page is.
func (s *Server) URL() string {
	a := s.listener.Addr().(*net.TCPAddr)
	host := s.host
	if ip := a.AddrPort().Addr(); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
		if !ip.IsUnspecified() {
			host = ip.String()
		}
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(a.Port)) + "/"
}

// Exposed reports whether other machines may reach the page.
func (s *Server) Exposed() bool { return !s.listener.Addr().(*net.TCPAddr).IP.IsLoopback() }

// Close ends the server at once, whoever is still reading.
func (s *Server) Close() error { return s.server.Close() }

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", s.security)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	switch {
	case !s.ours(r.Host):
		http.Error(w, "this server is not called "+strconv.QuoteToASCII(r.Host), http.StatusMisdirectedRequest)
	case r.URL.Path != "/" && r.URL.Path != "/page":
		http.Error(w, "there is nothing here; the page is at /", http.StatusNotFound)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "the page can be read, and no more", http.StatusMethodNotAllowed)
	case r.URL.Path == "/page" && r.URL.Query().Get("after") == strconv.Itoa(s.page.Version()):
		w.WriteHeader(http.StatusNoContent)
	default:
		html, version, err := s.rendering()
		if err != nil {
			http.Error(w, "the page cannot be made: "+err.Error(), http.StatusInternalServerError)
			return
		}
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(html)))
		h.Set("X-Version", strconv.Itoa(version))
		w.Write(html)
	}
}

// ours reports whether a request's Host header is what the server may be called: localhost, any address given in numbers, or the host that was asked
// for. A site that has its own name lead here sends that name.
func (s *Server) ours(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil || port != strconv.Itoa(s.listener.Addr().(*net.TCPAddr).Port) {
		return false
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	name = strings.ToLower(name)
	return name == "localhost" || s.host != "" && name == s.host
}

// rendering returns the page, rendered now or a moment ago.
func (s *Server) rendering() (html []byte, version int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.html == nil || time.Since(s.rendered) > often && s.version != s.page.Version() {
		if s.html, s.version, err = s.page.Render(); err != nil {
			return nil, 0, err
		}
		s.rendered = time.Now()
	}
	return s.html, s.version, nil
}
