/* SPDX-License-Identifier: MIT */
/* Fragments of taken flows. */
#pragma once
#include "maps.h"
#include "handshake.h"

/* A fragment that belongs to a taken flow must not pass the sockets by: the kernel puts together what is delivered
 * locally. One that comes before the first of its datagram is forwarded and lost, and its end sends again. Returns 1 when
 * it is to be dropped, since what follows must not overtake what the engine still holds. */
__noinline int on_fragment(struct __sk_buff *skb, __u32 l3)
{
	__u32 zero = 0, at = l3, one = 1;
	const struct config *c = bpf_map_lookup_elem(&config, &zero);
	struct scratch *w = bpf_map_lookup_elem(&scratches, &zero);
	__u8 version;
	__be16 offset, ports[2];

	if (!c || !w)
		return 0;
	struct packet *p = &w->packet;
	struct fragment_key *k = &w->fragment;

	if (bpf_skb_load_bytes(skb, l3, &version, 1))
		return 0;
	if (version >> 4 == 4) {
		struct ip4 ip;

		if (bpf_skb_load_bytes(skb, l3, &ip, sizeof ip) || ip.protocol != PROTO_TCP ||
		    !(ip.frag & bpf_htons(0x3fff)))
			return 0;
		map4(&p->src, ip.src);
		map4(&p->dst, ip.dst);
		k->id = ip.id;
		offset = ip.frag & bpf_htons(0x1fff);
		at += (ip.vihl & 15) * 4;
	} else if (version >> 4 == 6) {
		struct ip6 ip;
		struct {
			__u8 next, reserved;
			__be16 offset;
			__be32 id;
		} fragment;

		if (bpf_skb_load_bytes(skb, l3, &ip, sizeof ip))
			return 0;
		p->src = ip.src;
		p->dst = ip.dst;
		at += sizeof ip;
		for (int i = 0; i < 4 && ip.next != PROTO_FRAGMENT; i++) {
			__u8 ext[2];

			if ((ip.next != 0 && ip.next != 43 && ip.next != 60) || bpf_skb_load_bytes(skb, at, ext, 2))
				return 0;
			ip.next = ext[0];
			at += (ext[1] + 1) * 8;
		}
		if (ip.next != PROTO_FRAGMENT || bpf_skb_load_bytes(skb, at, &fragment, sizeof fragment) ||
		    fragment.next != PROTO_TCP)
			return 0;
		k->id = fragment.id;
		offset = fragment.offset & bpf_htons(0xfff8);
		at += sizeof fragment;
	} else {
		return 0;
	}
	k->src = p->src;
	k->dst = p->dst;
	if (offset) {
		if (!bpf_map_lookup_elem(&fragments, k))
			return 0;
	} else {
		if (bpf_skb_load_bytes(skb, at, ports, 4))
			return 0;
		p->sport = bpf_ntohs(ports[0]);
		p->dport = bpf_ntohs(ports[1]);
		make_key(p);
		struct flow *f = bpf_map_lookup_elem(&flows, &p->key);

		if (!f) {
			/* The identification may have been another flow's. */
			bpf_map_delete_elem(&fragments, k);
			return 0;
		}
		if (!(f->live >> (p->from & 1) & 1) && !stale(c, worker_of(c, &p->key)))
			return 1;
		bpf_map_update_elem(&fragments, k, &one, BPF_ANY);
	}
	skb->mark = (skb->mark & ~c->mark_mask) | c->mark;
	return 0;
}
