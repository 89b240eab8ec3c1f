// Package js is lineman.js, the client of pages that speak level 1: what it serves is built of src by a test in e2e.
package js

import _ "embed"

// Classic is the script for pages without modules. It defines Lineman. Nobody changes it.
//
//go:embed lineman.min.js
var Classic []byte

// Module is the same as a module, which exports connect. Nobody changes it.
//
//go:embed lineman.min.mjs
var Module []byte
