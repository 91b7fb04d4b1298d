/* SPDX-License-Identifier: MIT */
/* What our sockets send, made to look as forwarding would have left it. */
#pragma once
#include "maps.h"
#include "arrived.h"
#include "handshake.h"
#include "probe.h"

/* A listener that could make no socket resets the ACK that it got (tcp_rcv_state_process()). That ACK was ours: its end
 * must not hear of it. No socket of ours faces that end yet, so no other reset can be on its way to it. */
static __always_inline int is_refusal(const struct packet *p, const struct flow *f)
{
	__u32 zero = 0;
	const struct config *c = bpf_map_lookup_elem(&config, &zero);

	if (!c || c->writing[worker_of(c, &p->key) & (MAX_WORKERS - 1)] != MAKING)
		return 0;
	if (f)
		return !(f->live >> ((p->from & 1) ^ 1) & 1);
	const struct handshake *h = bpf_map_lookup_elem(&handshakes, &p->key);

	return h && h->state == HELD;
}

/* Milliseconds by which the timestamp of a FIN may be set back. */
#define FIN_TICKS 64

/* What our sockets send looks as forwarding would have left it: the other end's TTL less one, its DSCP, its flow
 * label, and a timestamp echo from the first segment on (TCP_REPAIR leaves ts_recent 0). */
static __always_inline int dress(struct __sk_buff *skb, __u32 l3)
{
	struct packet p = { .l3 = l3 };

	/* Forwarded packets have come in somewhere. */
	if (skb->ingress_ifindex) {
		if ((skb->mark & PASSED_MASK) != PASSED_MARK)
			return TC_ACT_OK;
		skb->mark &= ~PASSED_MASK;
	}
	if (!parse_tcp(skb, &p))
		return TC_ACT_OK;
	make_key(&p);
	struct flow *f = bpf_map_lookup_elem(&flows, &p.key);

	if (p.flags & TCP_RST && is_refusal(&p, f))
		return TC_ACT_SHOT;
	if (!f)
		return TC_ACT_OK;
	if (f->live & PARTED)
		return TC_ACT_SHOT;
	struct side *mine = &f->side[p.from & 1], *other = &f->side[(p.from & 1) ^ 1];

	__u32 alive = 1 << ((p.from & 1) ^ 1);

	if (!(f->live & (CATCHING_UP | alive)))
		__sync_fetch_and_or(&f->live, alive);
	__u8 ttl = mine->ttl > 1 ? mine->ttl - 1 : 1;
	/* ECN belongs to each leg's own congestion control; DSCP to the end (RFC 3168 section 5, RFC 2474). */
	__u8 tos = (mine->tos & 0xfc) | (p.tos & 3);

	if (p.v6) {
		__be32 first = bpf_htonl(0x60000000 | (__u32)tos << 20) | mine->flow_label;

		bpf_skb_store_bytes(skb, l3, &first, 4, 0);
		bpf_skb_store_bytes(skb, l3 + 7, &ttl, 1, 0);
	} else {
		if (ttl != p.ttl) {
			bpf_l3_csum_replace(skb, l3 + 10, bpf_htons(p.ttl << 8), bpf_htons(ttl << 8), 2);
			bpf_skb_store_bytes(skb, l3 + 8, &ttl, 1, 0);
		}
		if (tos != p.tos) {
			bpf_l3_csum_replace(skb, l3 + 10, bpf_htons(p.tos), bpf_htons(tos), 2);
			bpf_skb_store_bytes(skb, l3 + 1, &tos, 1, 0);
		}
	}
	struct timestamps ts;

	if (!(p.flags & TCP_RST) && load_timestamps(skb, &p, f, &ts)) {
		if (ts.ecr == 0) {
			ts.ecr = bpf_htonl(other->tsval);
			put_number(skb, &p, 28, 0, other->tsval);
		}
		__u32 last = f->stamp[p.from & 1];

		if (f->live & RELEASING && last && (__s32)(bpf_ntohl(ts.val) - last) > 0) {
			put_number(skb, &p, 24, bpf_ntohl(ts.val), last);
			ts.val = bpf_htonl(last);
		}
		/* A FIN that came a moment ago, and goes on by a clock that has ticked meanwhile: as it came, so that its end may
		 * say the rest by itself (part.h). */
		if (p.flags & TCP_FIN && f->live & MAY_PART && (!last || (__s32)(mine->tsval - last) >= 0) &&
		    bpf_ntohl(ts.val) - mine->tsval - 1 < FIN_TICKS) {
			put_number(skb, &p, 24, bpf_ntohl(ts.val), mine->tsval);
			ts.val = bpf_htonl(mine->tsval);
		}
		f->stamp[p.from & 1] = bpf_ntohl(ts.val);
		f->echo[p.from & 1] = bpf_ntohl(ts.ecr);
	}
	if (f->live & ARRIVING && (p.flags & (TCP_ACK | TCP_RST)) == TCP_ACK && !say_arrived(f, &p))
		return withhold(skb, &p);
	return TC_ACT_OK;
}
