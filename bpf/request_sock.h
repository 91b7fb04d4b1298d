/* SPDX-License-Identifier: MIT */
/* Sockets from an ACK of ours, by a listener: src/engine/takeover-request.ts writes it. */
#pragma once
#include "maps.h"

/* From Linux 6.9. Makes a packet that arrives look like the ACK of a valid SYN cookie to a listener, which makes an
 * established socket with these attributes from it. Weak: without it, the engine uses TCP_REPAIR. */
struct bpf_tcp_req_attrs {
	__u32 rcv_tsval, rcv_tsecr;
	__u16 mss;
	__u8 rcv_wscale, snd_wscale;
	__u8 ecn_ok, wscale_ok, sack_ok, tstamp_ok, usec_ts_ok;
	__u8 reserved[3];
};

/* Complete, since libbpf 1.1 tells a forward declaration from the kernel's struct. */
struct sock {
	char opaque;
};

extern int bpf_sk_assign_tcp_reqsk(struct __sk_buff *skb, struct sock *sk, struct bpf_tcp_req_attrs *attrs,
				   int attrs__sz) __ksym __weak;

/* A socket that faces the sender of this ACK: it carries on the other end's sequence numbers. */
static __always_inline int make_socket(struct __sk_buff *skb, const struct config *c, const struct packet *p,
				       __u32 worker)
{
	struct handshake *h = bpf_map_lookup_elem(&handshakes, &p->key);

	if (!bpf_sk_assign_tcp_reqsk || !h || h->state != HELD)
		return TC_ACT_SHOT;
	const struct side *peer = &h->side[p->from & 1], *self = &h->side[(p->from & 1) ^ 1];
	__u8 both = peer->has & self->has;
	struct bpf_tcp_req_attrs attrs = {
		.rcv_tsval = peer->tsval,
		.rcv_tsecr = self->tsval,
		/* What an end that named no MSS is bound to accept (RFC 9293 MUST-15). */
		.mss = peer->has & HAS_MSS ? peer->mss : p->v6 ? 1220 : 536,
		.rcv_wscale = self->wscale,
		.snd_wscale = peer->wscale,
		.ecn_ok = !!(both & HAS_ECN),
		.wscale_ok = !!(both & HAS_WSCALE),
		.sack_ok = !!(both & HAS_SACK),
		.tstamp_ok = !!(both & HAS_TS),
	};
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *listener;

	if (p->v6) {
		tuple.ipv6.daddr[3] = bpf_htonl(1);
		tuple.ipv6.dport = c->listener[1][worker & (MAX_WORKERS - 1)];
		listener = bpf_sk_lookup_tcp(skb, &tuple, sizeof tuple.ipv6, BPF_F_CURRENT_NETNS, 0);
	} else {
		tuple.ipv4.daddr = bpf_htonl(0x7f000001);
		tuple.ipv4.dport = c->listener[0][worker & (MAX_WORKERS - 1)];
		listener = bpf_sk_lookup_tcp(skb, &tuple, sizeof tuple.ipv4, BPF_F_CURRENT_NETNS, 0);
	}
	if (!listener)
		return TC_ACT_SHOT;
	int result = listener->state == BPF_TCP_LISTEN ?
			     bpf_sk_assign_tcp_reqsk(skb, (struct sock *)listener, &attrs, sizeof attrs) :
			     -1;

	bpf_sk_release(listener);
	if (result)
		return TC_ACT_SHOT;
	h->made = 1;
	skb->mark = (skb->mark & ~c->mark_mask) | c->mark;
	return TC_ACT_OK;
}
