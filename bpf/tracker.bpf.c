// SPDX-License-Identifier: MIT
/*
 * The tracker sits on tc ingress of every watched interface and of the engine's TUN devices. It follows handshakes
 * without touching them, holds the first data of a selected connection (redirects it to the engine's TUN), and marks
 * the packets of taken flows for local delivery. What it does not understand, it forwards.
 *
 * SPDX licence of the loaded object is "Dual MIT/GPL": some helpers are for GPL-compatible programs only.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include "maps.h"
#include "arrived.h"
#include "part.h"
#include "probe.h"
#include "request_sock.h"
#include "rules.h"
#include "syn.h"
#include "handshake.h"
#include "icmp.h"
#include "fragment.h"
#include "dress.h"

/* Where the last of what may be several segments begins that came as one (GRO, or a sender that leaves the cutting to others). */
static __always_inline __u32 last_segment(const struct __sk_buff *skb, const struct packet *p)
{
	__u32 size = skb->gso_size;

	return size && p->payload > size ? p->seq + (p->payload - 1) / size * size : p->seq;
}

/* How far its end has sent. Two CPUs may have a segment of it in their hands, and the greater end must stay. */
static __always_inline void note_end(const struct __sk_buff *skb, struct flow *f, const struct packet *p)
{
	__u32 *next = &f->next[p->from & 1], end = p->seq + p->payload + (p->flags & TCP_FIN);

	for (int i = 0; i < 4; i++) {
		__u32 before = *(volatile __u32 *)next;

		if (before && (__s32)(end - before) <= 0)
			return;
		if (__sync_val_compare_and_swap(next, before, end) == before) {
			if (end != p->seq)
				f->last[p->from & 1] = last_segment(skb, p);
			if (p->flags & TCP_FIN)
				__sync_fetch_and_or(&f->live, FINISHED << (p->from & 1));
			return;
		}
	}
}

/* What the other end may be waiting for goes on to it. */
static __always_inline int acknowledge(struct __sk_buff *skb, const struct config *c, const struct packet *p,
				       struct flow *f, __u32 worker)
{
	if ((p->flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK)) != TCP_ACK || p->payload || !(f->live & ARRIVING) ||
	    !(f->live & WITHHELD << ((p->from & 1) ^ 1)))
		return TC_ACT_OK;
	return arrived(skb, p, c->tun[worker & (MAX_WORKERS - 1)], c->mark_mask);
}

/* A segment of a taken flow, on its way to the socket that faces its sender. */
static __always_inline int deliver(struct __sk_buff *skb, const struct config *c, struct packet *p,
				   struct flow *f, __u32 worker)
{
	__u8 me = p->from & 1;
	int bare = (p->flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK;

	if ((p->flags & ~TCP_PSH) == (TCP_FIN | TCP_ACK) && !p->payload && f->live & MAY_PART && part(skb, p)) {
		pass_sockets_by(skb);
		return TC_ACT_OK;
	}

	/* Bare and behind what it has sent already: rare enough to ask the sockets, which also puts `next` right again
	 * after a forged segment. One byte that waits for its acknowledgement is sent again, and no probe. */
	if (bare && p->payload <= 1 && (!f->next[me] || (__s32)(p->seq - f->next[me]) < 0) &&
	    !(p->payload && f->live & WITHHELD << me) && pass_probe(skb, p))
		return TC_ACT_OK;
	note_end(skb, f, p);
	note_arrival(f, p);
	/* What goes on would have to bear its tags, and what goes to our socket none. */
	if (f->live & ARRIVING && (skb->vlan_present || p->l3 > 14))
		__sync_fetch_and_and(&f->live, ~(ARRIVING | 3 * WITHHELD));
	skb->mark = (skb->mark & ~c->mark_mask) | c->mark;
	if (bare && !p->payload && f->live & PROBED << (me ^ 1)) {
		drop_tags(skb);
		if (p->l3 > 14) {
			p->l4 -= p->l3 - 14;
			p->l3 = 14;
		}
		return answer_probe(skb, p, c->tun[worker & (MAX_WORKERS - 1)]);
	}
	return acknowledge(skb, c, p, f, worker);
}

static __always_inline int track(struct __sk_buff *skb, __u32 l3, int from_engine)
{
	struct packet p = { .l3 = l3 };
	__u32 zero = 0;
	const struct config *c = bpf_map_lookup_elem(&config, &zero);

	if (!c)
		return TC_ACT_OK;
	if (!parse_tcp(skb, &p)) {
		if (p.protocol == PROTO_ICMP || p.protocol == PROTO_ICMPV6)
			on_icmp(skb, c, &p);
		else if ((p.protocol == 255 || p.protocol == PROTO_FRAGMENT) && on_fragment(skb, l3))
			return TC_ACT_SHOT;
		return TC_ACT_OK;
	}
	__u8 opening = p.flags & (TCP_SYN | TCP_ACK | TCP_RST);

	if (!selected(c, p.dport) && !selected(c, p.sport)) {
		if (opening == TCP_SYN)
			count(C_UNMATCHED);
		return TC_ACT_OK;
	}
	/* It gets no further than here (RFC 1812 section 5.3.1): the kernel says so to its sender, and no socket hears it. */
	if (!from_engine && p.ttl <= 1) {
		pass_sockets_by(skb);
		return TC_ACT_OK;
	}
	make_key(&p);
	__u32 worker = worker_of(c, &p.key);

	__u32 writing = from_engine ? c->writing[worker & (MAX_WORKERS - 1)] : 0;

	/* What answer_probe() sends by the TUN meanwhile bears our mark already. */
	if (writing && (skb->mark & c->mark_mask) != c->mark) {
		if (writing == MAKING)
			return make_socket(skb, c, &p, worker);
		skb->mark = (skb->mark & ~PASSED_MASK) | PASSED_MARK;
		pass_sockets_by(skb);
		return TC_ACT_OK;
	}
	struct flow *f = bpf_map_lookup_elem(&flows, &p.key);

	if (f) {
		if (f->live & LEAVING && (from_engine || stale(c, worker))) {
			/* An engine that was killed meanwhile: the sockets are as good as gone. */
			if (!from_engine)
				pass_sockets_by(skb);
			return TC_ACT_OK;
		}
		if (opening != TCP_SYN) {
			if (!from_engine) {
				struct side *mine = &f->side[p.from & 1];

				/* Parted: the rest of the close. Over: a challenge of our reset (RFC 5961 section 3.2), behind which bytes were lost, maybe. Our socket
				 * is gone: the end in whose name it spoke has none either, and answers with the right number. */
				if (f->live & (OVER | PARTED)) {
					if (f->live & PARTED)
						echo_the_end(skb, &p, f);
					pass_sockets_by(skb);
					return TC_ACT_OK;
				}
				note_header(mine, &p);
				read_timestamp(skb, &p, mine);
				if (!(f->live >> (p.from & 1) & 1) && !stale(c, worker)) {
					/* What follows must not overtake it: the engine says when it has been delivered. */
					__sync_fetch_and_or(&f->live, CATCHING_UP);
					return to_engine(skb, c, worker, &f->held);
				}
				return deliver(skb, c, &p, f, worker);
			}
			if (p.payload)
				note_end(skb, f, &p);
			int again = (skb->mark & c->mark_mask) == c->mark;

			skb->mark = (skb->mark & ~c->mark_mask) | c->mark;
			if (again)
				return TC_ACT_OK;
			note_arrival(f, &p);
			return acknowledge(skb, c, &p, f, worker);
		}
		/* A SYN for a flow that we hold: the ports may be used again before the engine has cleaned up, so it
		 * has to pass through the engine, which knows. Without an engine the flow is gone. */
		if (!stale(c, worker)) {
			if (!from_engine)
				return to_engine(skb, c, worker, &f->held);
			skb->mark = (skb->mark & ~c->mark_mask) | c->mark;
			return TC_ACT_OK;
		}
		bpf_map_delete_elem(&flows, &p.key);
	}
	struct handshake *h = bpf_map_lookup_elem(&handshakes, &p.key);

	if (opening == TCP_SYN) {
		on_syn(skb, c, &p, h, worker);
		return TC_ACT_OK;
	}
	if (h && h->state == FORWARD) {
		if (h->past_sockets)
			pass_sockets_by(skb);
		return TC_ACT_OK;
	}
	if (from_engine) {
		/* What was held comes back and is no taken flow: the engine has decided to forward it. */
		if (h)
			change(h, HELD, FORWARD);
		return TC_ACT_OK;
	}
	if (opening == (TCP_SYN | TCP_ACK)) {
		on_syn_ack(skb, c, &p, h);
		return TC_ACT_OK;
	}
	if (!h) {
		if (!(p.flags & (TCP_RST | TCP_SYN)) &&
		    (rule_for(c, &p.src, &p.dst, p.dport, c->generation) >= 0 ||
		     rule_for(c, &p.dst, &p.src, p.sport, c->generation) >= 0))
			count(C_MIDSTREAM);
		remember_forwarded(&p);
		return TC_ACT_OK;
	}
	if (p.flags & TCP_RST) {
		if (h->state == HELD && !stale(c, worker))
			return to_engine(skb, c, worker, &h->held);
		on_rst(&p, h);
		return TC_ACT_OK;
	}
	if (p.flags & TCP_SYN)
		return TC_ACT_OK;
	if (on_segment(skb, c, &p, h, worker))
		return to_engine(skb, c, worker, &h->held);
	return TC_ACT_OK;
}

SEC("tc")
int track_ethernet(struct __sk_buff *skb)
{
	__u32 l3 = network_offset(skb);

	return l3 ? track(skb, l3, 0) : TC_ACT_OK;
}

/* For interfaces without a link-layer header. */
SEC("tc")
int track_raw(struct __sk_buff *skb)
{
	return track(skb, 0, 0);
}

/* For what the engine writes back through its TUN. */
SEC("tc")
int track_engine(struct __sk_buff *skb)
{
	return track(skb, 0, 1);
}

/* Not for packets: the engine runs it (BPF_PROG_TEST_RUN) to change `live` of a flow while packets do so, too. The data
 * says what becomes of the flow, and then holds it as it was left. Returns 0: there is no such flow; 1: done; 2: not done,
 * since not `held` segments went to the engine. */
SEC("tc")
int change_flow(struct __sk_buff *skb)
{
	struct {
		struct flow_key key;
		__u32 keep, add, held;
	} order;

	if (bpf_skb_load_bytes(skb, 0, &order, sizeof order))
		return 0;
	struct flow *f = bpf_map_lookup_elem(&flows, &order.key);

	if (!f)
		return 0;
	if (order.held != ANY_NUMBER) {
		struct handshake *h = bpf_map_lookup_elem(&handshakes, &order.key);

		if (f->held + (h ? h->held : 0) != order.held)
			return 2;
	}
	__sync_fetch_and_and(&f->live, order.keep);
	__sync_fetch_and_or(&f->live, order.add);
	bpf_skb_store_bytes(skb, sizeof order, f, sizeof *f, 0);
	return 1;
}

SEC("tc")
int dress_ethernet(struct __sk_buff *skb)
{
	__u32 l3 = network_offset(skb);

	return l3 ? dress(skb, l3) : TC_ACT_OK;
}

SEC("tc")
int dress_raw(struct __sk_buff *skb)
{
	return dress(skb, 0);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
