// Package command is what back ends can ask of a push.Hub, whichever way they ask: one table of commands, each with the
// fields that it takes and the scope that it needs, behind lines of text, an HTTP API and Go.
package command
