/* SPDX-License-Identifier: MIT */
/* The handshake as its segments pass: from the SYN to the first data, which is held. */
#pragma once
#include "maps.h"
#include "request_sock.h"
#include "rules.h"
#include "syn.h"

/* The TUN driver would write the skb's tag into the packet (tun_put_user), and bpf_redirect() takes off an Ethernet
 * header without tags. Each pop moves the next tag of the frame into the skb. */
static __always_inline void drop_tags(struct __sk_buff *skb)
{
	for (int i = 0; i < 3 && (skb->vlan_present || is_tag(skb->protocol)); i++)
		bpf_skb_vlan_pop(skb);
}

/* `held` counts, so that the engine knows when it has read all that was sent. */
static __always_inline int to_engine(struct __sk_buff *skb, const struct config *c, __u32 worker, __u32 *held)
{
	__sync_fetch_and_add(held, 1);
	drop_tags(skb);
	return bpf_redirect(c->tun[worker & (MAX_WORKERS - 1)], 0);
}

/* Both directions of a flow go to the same worker: the key is the same for both. */
static __always_inline __u32 worker_of(const struct config *c, const struct flow_key *k)
{
	__u32 h = k->addr[0].w[3] ^ k->addr[1].w[3] ^ ((__u32)k->port[0] << 16 | k->port[1]);

	h *= 0x9e3779b1;
	return c->workers > 1 ? (h >> 16) % c->workers : 0;
}

static __always_inline int stale_at(const struct config *c, __u32 worker, __u64 now)
{
	/* Signed: a beat between the two reads is in the future. */
	return (__s64)(now - c->heartbeat_ns[worker & (MAX_WORKERS - 1)]) > (__s64)STALE_NS;
}

static __always_inline int stale(const struct config *c, __u32 worker)
{
	return stale_at(c, worker, bpf_ktime_get_ns());
}

/* Exactly one CPU wins a change of state, so that each flow is counted once. */
static __always_inline int change(struct handshake *h, __u32 from, __u32 to)
{
	return __sync_val_compare_and_swap(&h->state, from, to) == from;
}

static __always_inline void forward(struct handshake *h, __u32 from, __u32 why)
{
	if (change(h, from, FORWARD))
		count(why);
}

static __always_inline void count_option(__u32 kind)
{
	__u64 *n = bpf_map_lookup_elem(&unsupported, &kind);

	count(C_UNSUPPORTED_OPTION);
	if (n)
		(*n)++;
}

static __always_inline void remember_forwarded(const struct packet *p)
{
	struct handshake h = { .state = FORWARD };

	h.client = 2; /* unknown: a later SYN starts afresh */
	bpf_map_update_elem(&handshakes, &p->key, &h, BPF_ANY);
}

static __always_inline void on_syn(struct __sk_buff *skb, const struct config *c, const struct packet *p,
				   struct handshake *old, __u32 worker)
{
	__u8 me = p->from & 1;
	__u32 zero = 0;
	struct scratch *w = bpf_map_lookup_elem(&scratches, &zero);

	if (!w)
		return;
	if (old) {
		if (old->client == me && old->side[me].isn == p->seq) {
			/* Repeated. It goes without what the first one went without, since either may be the one that arrives. */
			int option = read_syn(skb, p, old->settings);

			if (old->past_sockets)
				pass_sockets_by(skb);
			/* Stacks drop options that may have cost them the first one. */
			if (old->state == SYN_SENT)
				old->side[me] = w->parsed;
			if (option && change(old, SYN_SENT, FORWARD))
				count_option(option);
			return;
		}
		if (old->state == SYN_SENT && old->client == (me ^ 1)) {
			/* What one end must not see of the other, the other must not see of it. */
			read_syn(skb, p, old->settings);
			forward(old, SYN_SENT, C_SIMULTANEOUS_OPEN);
			return;
		}
	}
	struct handshake *h = &w->fresh;

	__builtin_memset(h, 0, sizeof *h);
	h->state = SYN_SENT;
	/* Read once: what selects it and what it remembers must be one and the same. */
	__u32 generation = *(const volatile __u32 *)&c->generation;
	int rule = rule_for(c, &p->src, &p->dst, p->dport, generation);

	h->generation = generation;
	h->client = me;
	h->started_ns = bpf_ktime_get_ns();
	h->rule = rule & 0xff;
	h->past_sockets = stale_at(c, worker, h->started_ns);
	if (h->past_sockets)
		pass_sockets_by(skb);
	/* C_SEEN: no reason to forward it. */
	__u32 why = C_SEEN;

	if (rule < 0)
		why = C_UNMATCHED;
	else if (h->past_sockets)
		why = C_ENGINE_STALE;
	else if (rule >> 8 & 0xff)
		why = C_DECIDED;
	else if (p->payload)
		why = C_DATA_IN_SYN;
	else
		h->settings = rule >> 16;
	int option = read_syn(skb, p, h->settings);

	h->side[me] = w->parsed;
	if (rule >= 0)
		count(C_SEEN);
	if (why != C_SEEN) {
		h->state = FORWARD;
		count(why);
	} else if (option) {
		h->state = FORWARD;
		count_option(option);
	}
	bpf_map_update_elem(&handshakes, &p->key, h, BPF_ANY);
}

/* This segment answers the one before it. Of a SYN that may have been sent twice it says nothing (RFC 6298 section 3). */
static __always_inline void take_time(struct handshake *h, __u8 side)
{
	__u64 now = bpf_ktime_get_ns(), passed = (now - h->started_ns) / 1000000 + 1;

	h->rtt_ms[side & 1] = passed < 1000 ? passed : 0;
	h->started_ns = now;
}

static __always_inline void on_syn_ack(struct __sk_buff *skb, const struct config *c, const struct packet *p,
				       struct handshake *h)
{
	__u8 me = p->from & 1;
	__u32 zero = 0;
	struct scratch *w = bpf_map_lookup_elem(&scratches, &zero);

	if (!w)
		return;
	if (!h) {
		/* The SYN went another way. */
		if (rule_for(c, &p->dst, &p->src, p->sport, c->generation) >= 0)
			count(C_ASYMMETRIC);
		remember_forwarded(p);
		return;
	}
	if (h->state > ESTABLISHED || h->client == me || p->ack != h->side[me ^ 1].isn + 1)
		return;
	int option = read_syn(skb, p, h->settings);

	if (h->state == ESTABLISHED) {
		/* Repeated, since the third ACK was lost behind us. Our TSval must not be behind this one (RFC 7323 5.2). */
		if (!option && p->seq == h->side[me].isn)
			h->side[me].tsval = w->parsed.tsval;
		return;
	}
	__u32 state = h->state;

	h->side[me] = w->parsed;
	if (option) {
		if (change(h, state, FORWARD))
			count_option(option);
		return;
	}
	/* RFC 9293 section 3.10.7.3 lets a SYN-ACK bring data, which we would have missed. */
	if (p->payload) {
		forward(h, state, C_DATA_IN_SYN);
		return;
	}
	change(h, SYN_SENT, SYN_RCVD);
	take_time(h, me);
}

static __always_inline void on_rst(const struct packet *p, struct handshake *h)
{
	__u8 me = p->from & 1;

	if (h->state == SYN_SENT) {
		/* RFC 9293 section 3.10.7.3: in SYN-SENT a reset counts only if it acknowledges the SYN. */
		if (h->client != me && (p->flags & TCP_ACK) && p->ack == h->side[me ^ 1].isn + 1)
			forward(h, SYN_SENT, C_REFUSED);
	} else if (p->seq == h->side[me].isn + 1) {
		forward(h, h->state == SYN_RCVD ? SYN_RCVD : ESTABLISHED, C_NO_DATA);
	}
}

/* A segment without SYN or RST. Returns 1 when it is to be held. */
static __always_inline int on_segment(struct __sk_buff *skb, const struct config *c, const struct packet *p,
				      struct handshake *h, __u32 worker)
{
	__u8 me = p->from & 1;
	struct side *mine = &h->side[me], *other = &h->side[me ^ 1];

	if (h->state == SYN_SENT) {
		/* The client acknowledges a SYN-ACK that never came by here. */
		if (h->client == me && (p->flags & TCP_ACK) && p->seq == mine->isn + 1)
			forward(h, SYN_SENT, C_ASYMMETRIC);
		return 0;
	}
	if (h->state == SYN_RCVD) {
		if (h->client != me || !(p->flags & TCP_ACK) || p->ack != other->isn + 1 ||
		    p->seq - mine->isn - 1 > 1 << 30)
			return 0;
		if (change(h, SYN_RCVD, ESTABLISHED))
			count(C_COMPLETED);
		take_time(h, me);
		/* TCP_REPAIR forgets ECN. */
		if (mine->has & other->has & HAS_ECN && !bpf_sk_assign_tcp_reqsk) {
			forward(h, ESTABLISHED, C_ECN);
			return 0;
		}
	}
	if (h->state == ESTABLISHED) {
		/* A keep-alive probe may carry one old byte (RFC 9293 section 3.8.4): not data. */
		int data = p->payload && p->seq != mine->isn;

		if (p->seq - mine->isn > 1 << 30)
			return 0;
		/* It acknowledges data that never came by here, or came in fragments: too late to step between. */
		if ((p->flags & TCP_ACK) && p->ack - other->isn - 2 < 1 << 30) {
			forward(h, ESTABLISHED, C_ASYMMETRIC);
			return 0;
		}
		if (!data) {
			if (p->flags & TCP_FIN)
				forward(h, ESTABLISHED, C_NO_DATA);
			else if (p->flags & TCP_ACK) {
				mine->window = p->window;
				mine->has |= SCALED_WINDOW;
				read_timestamp(skb, p, mine);
			}
			return 0;
		}
		if (stale(c, worker)) {
			forward(h, ESTABLISHED, C_ENGINE_STALE);
			return 0;
		}
		mine->window = p->window;
		mine->has |= SCALED_WINDOW;
		note_header(mine, p);
		read_timestamp(skb, p, mine);
		change(h, ESTABLISHED, HELD);
	}
	if (h->state != HELD)
		return 0;
	if (stale(c, worker)) {
		/* One that was taken has been counted already. */
		if (h->made)
			change(h, HELD, FORWARD);
		else
			forward(h, HELD, C_ENGINE_STALE);
		h->past_sockets = 1;
		pass_sockets_by(skb);
		return 0;
	}
	return 1;
}
