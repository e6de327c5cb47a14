// A relying party on golang.org/x/oauth2 and go-oidc: a person signs in, on a device too, and a program has its own token.
//
// The first line of stdin is {"issuer", "redirect", "web", "device"}, clients with their secret among them.
// It prints {"open": url} where a person has to open a page, and reads on the next line where that led; all else that it
// prints is {"found": what, ...}, to be judged by the test.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log"
	"net/url"
	"os"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

type client struct {
	Client string `json:"client"`
	Secret string `json:"secret"`
}

type object map[string]any

var (
	in  = bufio.NewReader(os.Stdin)
	out = json.NewEncoder(os.Stdout)
	ctx = context.Background()
)

// relyingParty is one client of the server, with what it needs to check ID tokens.
type relyingParty struct {
	oauth2.Config
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
}

func main() {
	var settings struct {
		Issuer   string `json:"issuer"`
		Redirect string `json:"redirect"`
		Web      client `json:"web"`
		Device   client `json:"device"`
	}
	read(&settings)
	provider, err := oidc.NewProvider(ctx, settings.Issuer)
	must(err)
	_, err = oidc.NewProvider(ctx, settings.Issuer+"/")
	found("discovery", object{"endpoint": provider.Endpoint(), "complaint": text(err)})

	web := newRelyingParty(provider, settings.Web, settings.Redirect)
	web.codeFlow()
	newRelyingParty(provider, settings.Device, "").deviceFlow()

	own := clientcredentials.Config{
		ClientID:     settings.Web.Client,
		ClientSecret: settings.Web.Secret,
		TokenURL:     provider.Endpoint().TokenURL,
		Scopes:       []string{"orders:read"},
	}
	token, err := own.Token(ctx)
	must(err)
	found("on its own", object{"scope": token.Extra("scope"), "refresh_token": token.RefreshToken})
	own.ClientSecret = "guessed"
	_, err = own.Token(ctx)
	refused("another secret", err)
}

func newRelyingParty(provider *oidc.Provider, who client, redirect string) relyingParty {
	return relyingParty{
		Config: oauth2.Config{
			ClientID:     who.Client,
			ClientSecret: who.Secret,
			Endpoint:     provider.Endpoint(),
			RedirectURL:  redirect,
			Scopes:       []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess},
		},
		provider: provider,
		verifier: provider.Verifier(&oidc.Config{ClientID: who.Client}),
	}
}

func (rp relyingParty) codeFlow() {
	code, verifier, nonce := rp.askForCode()
	token, err := rp.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	must(err)
	claims, seen := rp.verify(token)
	raw, _ := token.Extra("id_token").(string)
	found("signed in", object{
		"claims": claims, "scope": token.Extra("scope"), "nonce": seen.Nonce == nonce, "alg": algorithm(raw),
	})
	stranger := rp.provider.Verifier(&oidc.Config{ClientID: "another"})
	_, err = stranger.Verify(ctx, raw)
	found("for another client", object{"message": text(err)})

	info, err := rp.provider.UserInfo(ctx, rp.TokenSource(ctx, token))
	must(err)
	profile := object{}
	must(info.Claims(&profile))
	found("userinfo", object{"claims": profile, "email_verified": info.EmailVerified})

	renewed, err := rp.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	must(err)
	claims, _ = rp.verify(renewed)
	rotated := renewed.RefreshToken != "" && renewed.RefreshToken != token.RefreshToken
	found("refreshed", object{"claims": claims, "scope": renewed.Extra("scope"), "rotated": rotated})

	code, _, _ = rp.askForCode()
	_, err = rp.Exchange(ctx, code, oauth2.VerifierOption(oauth2.GenerateVerifier()))
	refused("another verifier", err)
}

// askForCode sends the person to the server and gives the code that came back, its verifier and its nonce.
func (rp relyingParty) askForCode() (code, verifier, nonce string) {
	state := oauth2.GenerateVerifier()
	verifier, nonce = oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	answer := open(rp.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)))
	if answer.Get("state") != state {
		log.Fatalf("another state: %v", answer)
	}
	return answer.Get("code"), verifier, nonce
}

// deviceFlow signs a person in who has a browser elsewhere.
func (rp relyingParty) deviceFlow() {
	waiting, err := rp.DeviceAuth(ctx)
	must(err)
	open(waiting.VerificationURIComplete)
	token, err := rp.DeviceAccessToken(ctx, waiting)
	must(err)
	claims, _ := rp.verify(token)
	found("signed in on a device", object{"claims": claims, "scope": token.Extra("scope")})
}

// verify gives the claims of the ID token that came with an access token, both checked.
func (rp relyingParty) verify(token *oauth2.Token) (object, *oidc.IDToken) {
	raw, _ := token.Extra("id_token").(string)
	seen, err := rp.verifier.Verify(ctx, raw)
	must(err)
	must(seen.VerifyAccessToken(token.AccessToken))
	claims := object{}
	must(seen.Claims(&claims))
	return claims, seen
}

// algorithm is what a token says of its signature; go-oidc takes those that discovery names, and keeps it to itself.
func algorithm(token string) string {
	part, _, _ := strings.Cut(token, ".")
	decoded, err := base64.RawURLEncoding.DecodeString(part)
	must(err)
	var header struct {
		Algorithm string `json:"alg"`
	}
	must(json.Unmarshal(decoded, &header))
	return header.Algorithm
}

// open has the person open a page and gives the parameters of the address to which that led.
func open(page string) url.Values {
	must(out.Encode(object{"open": page}))
	var left struct {
		URL string `json:"url"`
	}
	read(&left)
	at, err := url.Parse(left.URL)
	must(err)
	return at.Query()
}

func read(into any) {
	line, err := in.ReadBytes('\n')
	must(err)
	must(json.Unmarshal(line, into))
}

func found(what string, more object) {
	more["found"] = what
	must(out.Encode(more))
}

// refused tells what the server made of a request that it should refuse.
func refused(what string, err error) {
	var refusal *oauth2.RetrieveError
	if errors.As(err, &refusal) {
		found(what, object{"error": refusal.ErrorCode, "status": refusal.Response.StatusCode})
	} else {
		found(what, object{"accepted": err == nil, "message": text(err)})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
