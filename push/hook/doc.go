// Package hook is how URLs of an application are told events, and asked to decide.
package hook
