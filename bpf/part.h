/* SPDX-License-Identifier: MIT */
/* The last FIN of a relayed flow: where both ends have all that the other one has said, it can go on to the other end as
 * it is, and neither of our sockets has anything left to do. That spares each flow the second half of its close, and the
 * middle its TIME_WAIT: the ends have theirs. */
#pragma once
#include "handshake.h"
#include "maps.h"
#include "probe.h"

/* Where the engine finds it. 0: it is behind with what is there already. */
static __always_inline int tell_parted(struct parted *ring, __u64 id)
{
	if (ring->head - *(volatile __u32 *)&ring->tail >= PARTED_RING - PARTED_MARGIN)
		return 0;
	__u32 at = __sync_fetch_and_add(&ring->head, 1);

	ring->id[at & (PARTED_RING - 1)] = id;
	return 1;
}

/* By its TSecr an end says what it heard last, and that was our socket's clock, which may never have been the other end's:
 * that gets the last that it has really said. */
static __always_inline void echo_the_end(struct __sk_buff *skb, const struct packet *p, const struct flow *f)
{
	__u8 other = (p->from & 1) ^ 1;
	struct timestamps ts;

	if (!load_timestamps(skb, p, f, &ts))
		return;
	__u32 echo = bpf_ntohl(ts.ecr), said = f->side[other].tsval;

	if (echo != said && (__s32)(echo - f->stamp[other]) <= 0)
		put_number(skb, p, 28, echo, said);
}

/* p: a bare FIN. Returns 1 when it is to be forwarded, and so is whatever the ends still say. */
__noinline int part(struct __sk_buff *skb, const struct packet *p)
{
	__u32 zero = 0;
	struct leg near = {}, far = {};

	if (!p)
		return 0;
	struct config *c = bpf_map_lookup_elem(&config, &zero);
	struct flow *f = bpf_map_lookup_elem(&flows, &p->key);

	if (!c || !f)
		return 0;
	__u8 me = p->from & 1;

	/* Its sender has everything, FIN included, and the other end has acknowledged all that this one has sent. */
	if (!find_leg(skb, p, 0, &near) || (near.state != BPF_TCP_FIN_WAIT1 && near.state != BPF_TCP_FIN_WAIT2) ||
	    near.received != p->seq)
		return 0;
	if (!find_leg(skb, p, 1, &far) || far.state != BPF_TCP_CLOSE_WAIT || far.received != p->ack ||
	    far.acknowledged != p->seq)
		return 0;
	/* What the ends say by themselves must not look older than what our sockets have said for them (RFC 7323 section
	 * 5.3). */
	if (f->side[0].has & f->side[1].has & HAS_TS) {
		struct timestamps ts;

		if (!find_timestamps(skb, p, &ts) || (__s32)(bpf_ntohl(ts.val) - f->stamp[me]) < 0 ||
		    (__s32)(f->side[me ^ 1].tsval - f->stamp[me ^ 1]) < 0)
			return 0;
	}
	__u32 before = *(volatile __u32 *)&f->live;

	if ((before & 0xffff & ~(ARRIVING | 3 * WITHHELD | 3 * ECHOING | 3 * FINISHED)) != (MAY_PART | 3))
		return 0;
	struct parted *ring = &c->parted[worker_of(c, &p->key) & (MAX_WORKERS - 1)];

	if (__sync_val_compare_and_swap(&f->live, before, before | PARTED) != before)
		return 0;
	if (!tell_parted(ring, f->id)) {
		__sync_fetch_and_and(&f->live, ~PARTED);
		return 0;
	}
	/* Once the entry is gone. */
	struct handshake *h = bpf_map_lookup_elem(&handshakes, &p->key);

	if (h)
		change(h, HELD, FORWARD);
	echo_the_end(skb, p, f);
	return 1;
}
