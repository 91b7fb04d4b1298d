/* SPDX-License-Identifier: MIT */
/* Acknowledgements that mean arrival. Our socket has what an end has sent a moment before the other end has it, and would
 * acknowledge it at once. Then the sender's user timeout (RFC 9293 section 3.9.1.1) has nothing to count, and it believes
 * in the arrival of what may never arrive. So the newest segment of each end is not acknowledged before the other end has
 * acknowledged it; all before it is, which keeps the sender going. Sequence numbers are the ends' own, so that numbers of
 * one leg can be compared with those of the other.
 *
 * Whatever is lost of this comes right by the sender's retransmission, which our socket acknowledges again. */
#pragma once
#include "handshake.h"
#include "maps.h"
#include "probe.h"

/* With more than this behind it the sender is not waiting for an answer, and the other end may take long for it. */
#define WITHHELD_BYTES 16384
/* With so much of its window left an end can wait for the next update. */
#define ENOUGH_WINDOW 8192

static __always_inline __u32 scale_of(const struct flow *f, __u8 side)
{
	return f->side[0].has & f->side[1].has & HAS_WSCALE ? f->side[side & 1].wscale & 15 : 0;
}

/* What an end says it has of what the other one sent, and how much more it has room for. Two CPUs may have an acknowledgement
 * of it in their hands, and the greater one must stay. It is known before arrived() looks who waits for it. */
static __always_inline void note_arrival(struct flow *f, const struct packet *p)
{
	__u8 me = p->from & 1;
	__u32 *acked = &f->acked[me], sent = f->next[me ^ 1];

	if (!(p->flags & TCP_ACK) || (sent && (__s32)(p->ack - sent) > 0))
		return;
	for (int i = 0; i < 4; i++) {
		__u32 before = *(volatile __u32 *)acked;

		if ((__s32)(p->ack - before) < 0)
			return;
		if (p->ack == before || __sync_val_compare_and_swap(acked, before, p->ack) == before)
			break;
	}
	f->room[me] = p->ack + ((__u32)p->window << scale_of(f, me));
}

/* Of what ends at `edge` and begins at `from`, as much as the field in the header can say. */
static __always_inline __u32 window_field(__u32 edge, __u32 from, __u32 scale)
{
	__u32 window = (edge - from) >> scale;

	return window > 0xffff ? 0xffff : window;
}

/* Overwrites 16 bits of the TCP header. */
static __always_inline void put_half(struct __sk_buff *skb, const struct packet *p, __u32 at, __be16 from, __be16 to)
{
	bpf_l4_csum_replace(skb, p->l4 + 16, from, to, 2);
	bpf_skb_store_bytes(skb, p->l4 + at, &to, 2, 0);
}

static __always_inline void note_said(struct flow *f, __u8 me, __u32 ack, __u32 edge)
{
	if ((__s32)(ack - f->said[me]) > 0)
		f->said[me] = ack;
	f->shown[me] = edge;
}

/* What most packets acknowledge has long arrived. Returns 0 where that has to be looked at. */
static __always_inline int say_arrived(struct flow *f, const struct packet *p)
{
	__u8 me = p->from & 1;

	/* Who has ended has no more use for it, and the other end mostly answers by its own FIN. */
	if ((__s32)(p->ack - f->acked[me]) > 0 && !(f->live & FINISHED << (me ^ 1)))
		return 0;
	f->edge[me] = p->ack + ((__u32)p->window << scale_of(f, me));
	note_said(f, me, p->ack, f->edge[me]);
	if (f->live & WITHHELD << (me ^ 1))
		__sync_fetch_and_and(&f->live, ~(WITHHELD << (me ^ 1)));
	return 1;
}

/* The other end has, or can not have yet, all of what our socket acknowledges: `ack` may be said. */
static __always_inline int may_be_said(struct __sk_buff *skb, const struct packet *p, struct flow *f)
{
	__u8 me = p->from & 1, to = me ^ 1;
	__u32 zero = 0, next = f->next[to], behind = p->ack - f->acked[me];
	const struct config *c = bpf_map_lookup_elem(&config, &zero);
	struct leg far;

	/* Nothing is passed on, and the next engine may take its time. */
	if (!c || stale(c, worker_of(c, &p->key)))
		return 1;
	/* Its window is what the end waits for, then: that is asked for by probes (probe.h). */
	if (!p->window || (__s32)(f->room[me] - p->ack) < 0)
		return 1;
	/* More is on its way already, so that the end goes on. */
	if (next && p->ack != next)
		return 1;
	if (behind > WITHHELD_BYTES)
		return 1;
	/* First said, then looked at again: arrived() does it the other way round. */
	__u32 before = __sync_fetch_and_or(&f->live, WITHHELD << to);

	if ((__s32)(p->ack - *(volatile __u32 *)&f->acked[me]) <= 0)
		return 1;
	if (!(before & WITHHELD << to))
		return 0;
	/* Asked again. What was held, or came in fragments, we may not have seen. */
	return !find_leg(skb, p, 0, &far) || (__s32)(p->ack - far.acknowledged) <= 0;
}

/* p: what our socket says to an end in the name of the other one, as it is. */
__noinline int withhold(struct __sk_buff *skb, const struct packet *p)
{
	if (!p)
		return TC_ACT_OK;
	struct flow *f = bpf_map_lookup_elem(&flows, &p->key);

	if (!f)
		return TC_ACT_OK;
	__u8 me = p->from & 1, to = me ^ 1;
	__u32 scale = scale_of(f, me), said = f->said[me], ack = p->ack, edge = ack + ((__u32)p->window << scale);

	f->edge[me] = edge;
	if (may_be_said(skb, p, f)) {
		note_said(f, me, ack, edge);
		return TC_ACT_OK;
	}
	__u32 last = f->last[to], most = f->side[me].has & HAS_MSS ? f->side[me].mss : 536, least = f->acked[me];
	__u32 tail = ack - last;

	/* It is not known, or the size of what came as one is not. */
	if (tail == 0 || tail > most)
		last = ack - most;
	if ((__s32)(last - least) < 0)
		last = least;
	if ((__s32)(last - said) < 0)
		last = said;
	if (p->flags & TCP_ECE)
		__sync_fetch_and_or(&f->live, ECHOING << to);
	else
		__sync_fetch_and_and(&f->live, ~(ECHOING << to));
	/* Nothing new is left in it. A packet that is shot would be congestion to our socket (__tcp_transmit_skb(), tcp_enter_cwr()). */
	if (!p->payload && !(p->flags & TCP_FIN) && last == said &&
	    ((__s32)(edge - f->shown[me]) <= 0 || (__s32)(f->shown[me] - ack) >= ENOUGH_WINDOW))
		return TC_ACT_STOLEN;
	__u32 window = window_field(edge, last, scale);

	put_number(skb, p, 8, ack, last);
	put_half(skb, p, 14, bpf_htons(p->window), bpf_htons(window));
	note_said(f, me, last, last + (window << scale));
	return TC_ACT_OK;
}

/* p: a bare acknowledgement that is to be delivered to the socket that faces its sender, and bears our mark. Where it is what
 * the other end waits for, it goes on to there, too, as our socket would have said it. */
__noinline int arrived(struct __sk_buff *skb, const struct packet *p, __u32 tun, __u32 mark_mask)
{
	struct leg near;

	if (!p)
		return TC_ACT_OK;
	struct flow *f = bpf_map_lookup_elem(&flows, &p->key);

	if (!f)
		return TC_ACT_OK;
	__u8 me = p->from & 1, to = me ^ 1;
	__u32 next = f->next[to];

	if (!(f->live & WITHHELD << to) || (__s32)(p->ack - f->said[me]) <= 0 || (next && p->ack != next))
		return TC_ACT_OK;
	/* Options besides timestamps are about the other leg, or about duplicates there. */
	int stamped = (f->side[0].has & f->side[1].has & HAS_TS) != 0;
	struct timestamps ts;

	if (p->options != (stamped ? 12 : 0) || (stamped && (!f->stamp[me] || !find_timestamps(skb, p, &ts))))
		return TC_ACT_OK;
	/* It has said and heard all, if it is not there. */
	if (!find_leg(skb, p, 1, &near))
		near.sent = p->seq;
	else if ((__s32)(near.received - p->ack) < 0)
		return TC_ACT_OK;
	if (!(__sync_fetch_and_and(&f->live, ~(WITHHELD << to)) & WITHHELD << to))
		return TC_ACT_OK;
	if (bpf_clone_redirect(skb, tun, BPF_F_INGRESS))
		return TC_ACT_OK;
	__u32 window = window_field(f->edge[me], p->ack, scale_of(f, me));

	put_number(skb, p, 4, p->seq, near.sent);
	put_half(skb, p, 14, bpf_htons(p->window), bpf_htons(window));
	/* By our socket's clock: an older one behind it would be dropped (RFC 7323 section 5.3). */
	if (stamped) {
		put_number(skb, p, 24, bpf_ntohl(ts.val), f->stamp[me]);
		put_number(skb, p, 28, bpf_ntohl(ts.ecr), f->echo[me]);
	}
	/* Congestion is each leg's own affair (RFC 3168). */
	__u8 echo = f->live & ECHOING << to ? TCP_ECE : 0;

	if ((p->flags & (TCP_ECE | TCP_CWR)) != echo) {
		__u8 flags[2];

		if (bpf_skb_load_bytes(skb, p->l4 + 12, flags, 2) == 0) {
			__be16 before = *(__be16 *)flags;

			flags[1] = (flags[1] & ~(TCP_ECE | TCP_CWR)) | echo;
			put_half(skb, p, 12, before, *(__be16 *)flags);
		}
	}
	note_said(f, me, p->ack, f->edge[me]);
	skb->mark &= ~mark_mask;
	pass_sockets_by(skb);
	return TC_ACT_OK;
}
