// Package token checks who a connection is by a credential that the application's back end made, and makes such
// credentials.
//
// There are two kinds, which say the same claims. A JSON Web Token (RFC 7519) is signed by a secret or by a private
// key:
//
//	base64url(header) "." base64url(claims) "." base64url(signature)
//
// A ticket needs no library. It is signed by a secret:
//
//	"t1." base64url(claims) "." mac
//	mac = lower-case hex of HMAC-SHA-256(secret, "lineman:t1." base64url(claims))
//
// base64url is that of RFC 4648, section 5, without padding. What a JWT signs never has a colon in it, so one secret
// serves both: neither kind can be taken for the other. The claims are a JSON object, without a name twice:
//
//	sub       whose connection it is: a string or an integer, as push.UID names it; another claim, if Options say so
//	exp       until when it is good, in seconds since 1970; required
//	nbf       from when on
//	iat       when it was made; what does not say so is refused once its uid was revoked
//	aud, iss  for whom and by whom; checked if Options say so
//	channels  what the connection may subscribe to: a list of names, or of beginnings with a "*" behind them
//	groups    what it joins: a list of names
//
// Other claims are ignored. No error tells any part of a credential or of a key.
package token
