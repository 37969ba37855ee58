package node

import "quorate.dev/quorate/consensus"

// found sends what a READ has found to its client.
func (n *Node) found(f consensus.Finding, notes []consensus.Note) {
	findings := []consensus.Finding{f}
	if n.config.Findings != nil {
		findings = n.config.Findings(findings)
	}
	for i := range findings {
		n.send(consensus.ClientPeer(findings[i].Client), consensus.Bodies, findings[i].Encode())
	}
	if len(notes) > 0 {
		n.reporter.report(notes)
	}
}
