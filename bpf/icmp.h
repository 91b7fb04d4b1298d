/* SPDX-License-Identifier: MIT */
/* ICMP errors that quote a packet of ours. */
#pragma once
#include "maps.h"
#include "rules.h"

/* ICMP errors that quote a packet of a taken flow belong to our socket: its end never sent that packet
 * (RFC 9293 section 3.9.2.2). */
static __always_inline void on_icmp(struct __sk_buff *skb, const struct config *c, const struct packet *outer)
{
	struct packet p = {};
	__u8 type, version;
	__be16 ports[2];
	__u32 end;

	/* The one's messages in the other's packets mean nothing to anyone. */
	if (outer->protocol != (outer->v6 ? PROTO_ICMPV6 : PROTO_ICMP) ||
	    bpf_skb_load_bytes(skb, outer->l4, &type, 1))
		return;
	if (outer->v6 ? type < 1 || type > 4 : type != 3 && type != 4 && type != 11 && type != 12)
		return;
	p.l3 = outer->l4 + 8;
	if (bpf_skb_load_bytes(skb, p.l3, &version, 1) || version >> 4 != (outer->v6 ? 6 : 4))
		return;
	p.l4 = parse_ip(skb, &p, &end, version);
	if (!p.l4 || p.protocol != PROTO_TCP || bpf_skb_load_bytes(skb, p.l4, ports, 4))
		return;
	p.sport = bpf_ntohs(ports[0]);
	p.dport = bpf_ntohs(ports[1]);
	if (!selected(c, p.sport) && !selected(c, p.dport))
		return;
	make_key(&p);
	const struct flow *f = bpf_map_lookup_elem(&flows, &p.key);

	if (f && !(f->live & PARTED))
		skb->mark = (skb->mark & ~c->mark_mask) | c->mark;
}
