// Package e2e runs the example programs as their users do: built, started, used from a browser, PHP, curl and nc, and
// stopped by a signal; under a master they are killed, hung, replaced and loaded as well.
//
//	go -C e2e test ./...
//
// What is not installed is skipped with a reason; with LINEMAN_E2E_STRICT=1 it fails. With LINEMAN_SEED, a folder, its
// client.php and client.js are run as well. A few tests want root. With LINEMAN_SCREENSHOTS, a folder, the pages are
// kept there as pictures. With LINEMAN_E2E_LONG=1 some have more clients, for a minute or two: TestNothingMissed,
// TestNothingUnheard, TestOnlineList, TestHandover, TestPushHandoverPause, TestNodesHandover.
package e2e
