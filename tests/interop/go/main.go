// A resource server that verifies tokens with golang-jwt and keyfunc for as long as it is asked.
//
// Its argument is the issuer; JWT_SECRET, where it is set, verifies HS256 besides. It reads a line {"audience", "token"}
// from stdin for each token and prints a line with its verdict. Go asks the kernel for the time and not the C library,
// so that "now", in seconds since 1970, says when it is where a test has another time than the machine.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

type question struct {
	Audience string `json:"audience"`
	Token    string `json:"token"`
	Now      int64  `json:"now"`
}

type verdict struct {
	Accepted bool          `json:"accepted"`
	Reason   string        `json:"reason,omitempty"`
	Claims   jwt.MapClaims `json:"claims,omitempty"`
}

func main() {
	answer, err := http.Get(os.Args[1] + "/.well-known/openid-configuration")
	must(err)
	defer answer.Body.Close()
	var metadata struct {
		Issuer  string `json:"issuer"`
		JwksURI string `json:"jwks_uri"`
	}
	must(json.NewDecoder(answer.Body).Decode(&metadata))

	keys, err := keyfunc.NewDefaultCtx(context.Background(), []string{metadata.JwksURI})
	must(err)
	algorithms := []string{"RS256"}
	secret := []byte(os.Getenv("JWT_SECRET"))
	if len(secret) > 0 {
		algorithms = append(algorithms, "HS256")
	}
	key := func(token *jwt.Token) (any, error) {
		if token.Method == jwt.SigningMethodHS256 {
			return secret, nil
		}
		return keys.Keyfunc(token)
	}

	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var q question
		if err := in.Decode(&q); errors.Is(err, io.EOF) {
			return
		} else {
			must(err)
		}
		now := time.Now
		if q.Now != 0 {
			now = func() time.Time { return time.Unix(q.Now, 0) }
		}
		claims := jwt.MapClaims{}
		_, err := jwt.ParseWithClaims(q.Token, claims, key,
			jwt.WithIssuer(metadata.Issuer),
			jwt.WithAudience(q.Audience),
			jwt.WithValidMethods(algorithms),
			jwt.WithTimeFunc(now),
			jwt.WithExpirationRequired())
		if err != nil {
			must(out.Encode(verdict{Reason: err.Error()}))
		} else {
			must(out.Encode(verdict{Accepted: true, Claims: claims}))
		}
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
