// Package page is the training sandbox in a browser on this machine: the pager's text, the network as a live picture, terminals into its
// machines, hints, the check, and the debrief. What happens in an exercise is not its matter: it is given Learners. Who instructs several has
// a page as well, with a token of their own: who is where, their terminals to watch, words to send.
//
// The page has root shells, and two enemies: another page in the same browser, and other users of the same machine. So it listens on
// loopback only and answers to no other name (DNS rebinding makes Origin and Host the attacker's, and equal); every socket must come from
// the page itself, and its first message must hold the token, which stood in the address's fragment and so in no request; and no script
// or style runs but the page's own.
//
// In a container it cannot listen on loopback only: a published port leads to the container's own address (Place). All else holds there,
// too. Who reaches that address, such as other containers, is as another user of the machine.
package page
