// A resource server that verifies access tokens with golang-jwt and keyfunc.
//
// Reads {"issuer", "cases": [{"case", "audience", "token"}]} from stdin and prints one JSON line for each case.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

type input struct {
	Issuer string `json:"issuer"`
	Cases  []struct {
		Case     string `json:"case"`
		Audience string `json:"audience"`
		Token    string `json:"token"`
	} `json:"cases"`
}

type verdict struct {
	Case     string        `json:"case"`
	Accepted bool          `json:"accepted"`
	Reason   string        `json:"reason,omitempty"`
	Claims   jwt.MapClaims `json:"claims,omitempty"`
}

func main() {
	var in input
	must(json.NewDecoder(os.Stdin).Decode(&in))

	answer, err := http.Get(in.Issuer + "/.well-known/openid-configuration")
	must(err)
	defer answer.Body.Close()
	var metadata struct {
		Issuer  string `json:"issuer"`
		JwksURI string `json:"jwks_uri"`
	}
	must(json.NewDecoder(answer.Body).Decode(&metadata))

	keys, err := keyfunc.NewDefaultCtx(context.Background(), []string{metadata.JwksURI})
	must(err)

	out := json.NewEncoder(os.Stdout)
	for _, c := range in.Cases {
		claims := jwt.MapClaims{}
		_, err := jwt.ParseWithClaims(c.Token, claims, keys.Keyfunc,
			jwt.WithIssuer(metadata.Issuer),
			jwt.WithAudience(c.Audience),
			jwt.WithValidMethods([]string{"RS256"}),
			jwt.WithExpirationRequired())
		if err != nil {
			must(out.Encode(verdict{Case: c.Case, Reason: err.Error()}))
		} else {
			must(out.Encode(verdict{Case: c.Case, Accepted: true, Claims: claims}))
		}
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
