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
#include "layout.h"
#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct rules);
} rule_banks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072);
	__type(key, struct flow_key);
	__type(value, struct handshake);
} handshakes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 100000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct flow_key);
	__type(value, struct flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* TCP options by kind that made a flow unsupported: forwarded.byOption. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} unsupported SEC(".maps");

/* Work space. What is read back from a map is an unknown number to the verifier, which keeps its states few. */
struct scratch {
	__u8 options[64];
	__u32 at;
	struct side parsed;
	struct handshake fresh;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

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

static __always_inline void count(__u32 which)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &which);

	if (n)
		(*n)++;
}

static __always_inline int selected(const struct config *c, __u16 port)
{
	return c->ports[port >> 3] >> (port & 7) & 1;
}

static __always_inline int within(const struct addr *a, const struct addr *net, const struct addr *mask)
{
	return !(((a->w[0] & mask->w[0]) ^ net->w[0]) | ((a->w[1] & mask->w[1]) ^ net->w[1]) |
		 ((a->w[2] & mask->w[2]) ^ net->w[2]) | ((a->w[3] & mask->w[3]) ^ net->w[3]));
}

struct endpoints {
	struct addr client, server;
	__u32 bank, count, port;
};

/* The first rule that matches: its index in the bank, or -1. A function of its own, so that it is verified once. */
__noinline int match_rule(const struct endpoints *e)
{
	if (!e)
		return -1;
	__u32 bank = e->bank & 1;
	const struct rules *rules = bpf_map_lookup_elem(&rule_banks, &bank);

	if (!rules)
		return -1;
	for (__u32 i = 0; i < MAX_RULES; i++) {
		if (i >= e->count)
			break;
		const struct rule *r = &rules->rule[i];

		if (e->port >= r->lo && e->port <= r->hi && within(&e->client, &r->from, &r->from_mask) &&
		    within(&e->server, &r->to, &r->to_mask))
			return r->forward << 8 | r->index;
	}
	return -1;
}

static __always_inline int rule_for(const struct config *c, const struct addr *client, const struct addr *server,
				    __u16 port, __u32 generation)
{
	if (!selected(c, port))
		return -1;
	__u32 bank = generation & 1;
	struct endpoints e = {
		.client = *client, .server = *server, .bank = bank, .count = c->rule_count[bank], .port = port
	};

	return match_rule(&e);
}

/* Reads the options of a SYN or SYN-ACK into the work space. Returns the kind of an option that two ordinary sockets
 * cannot carry, or 0. A function of its own, so that the verifier walks its loop once. */
__noinline int read_options(struct __sk_buff *skb, __u32 offset, __u32 length)
{
	__u32 zero = 0;
	struct scratch *w = bpf_map_lookup_elem(&scratches, &zero);

	if (!w)
		return 255;
	struct side *s = &w->parsed;

	if (length == 0 || length > 40)
		return 0;
	if (bpf_skb_load_bytes(skb, offset, w->options, length))
		return 0;
	w->at = 0;
	for (int i = 0; i < 40; i++) {
		__u32 at = w->at;

		if (at >= length || at >= 40)
			break;
		const __u8 *o = &w->options[at];
		__u8 kind = o[0];

		if (kind == 0)
			break;
		if (kind == 1) {
			w->at = at + 1;
			continue;
		}
		__u8 size = o[1];
		/* A malformed length ends the options (RFC 9293 MUST-7), as in the kernel's tcp_parse_options(). */
		if (size < 2 || at + size > length)
			break;
		switch (kind) {
		case 2:
			if (size == 4) {
				s->mss = o[2] << 8 | o[3];
				s->has |= HAS_MSS;
			}
			break;
		case 3:
			if (size == 3) {
				s->wscale = o[2] > 14 ? 14 : o[2];
				s->has |= HAS_WSCALE;
			}
			break;
		case 4:
			s->has |= HAS_SACK;
			break;
		case 8:
			if (size == 10) {
				s->tsval = (__u32)o[2] << 24 | o[3] << 16 | o[4] << 8 | o[5];
				s->has |= HAS_TS;
			}
			break;
		case 34: /* a Fast Open cookie without data changes nothing afterwards (RFC 7413 section 4.1.1) */
			break;
		default:
			return kind;
		}
		w->at = at + size;
	}
	return 0;
}

static __always_inline int read_syn(struct __sk_buff *skb, const struct packet *p, struct side *s)
{
	__u32 zero = 0;
	struct scratch *w = bpf_map_lookup_elem(&scratches, &zero);

	if (!w)
		return 255;
	__builtin_memset(&w->parsed, 0, sizeof w->parsed);
	w->parsed.isn = p->seq;
	w->parsed.window = p->window;
	w->parsed.ttl = p->ttl;
	w->parsed.tos = p->tos;
	w->parsed.flow_label = p->flow_label;
	int option = read_options(skb, p->l4 + 20, p->options);
	__u8 ecn = p->flags & (TCP_ECE | TCP_CWR);

	/* RFC 3168 section 6.1.1: a SYN offers with both flags, a SYN-ACK accepts with ECE alone. */
	if (ecn == (p->flags & TCP_ACK ? TCP_ECE : TCP_ECE | TCP_CWR))
		w->parsed.has |= HAS_ECN;
	*s = w->parsed;
	return option;
}

/* The newest timestamp of a segment, in the form that nearly every stack sends: NOP NOP TS first (RFC 7323 A). */
static __always_inline void read_timestamp(struct __sk_buff *skb, const struct packet *p, struct side *s)
{
	struct {
		__be32 head, val, ecr;
	} ts;

	if (!(s->has & HAS_TS) || p->options < 12 || bpf_skb_load_bytes(skb, p->l4 + 20, &ts, 12))
		return;
	if (ts.head == bpf_htonl(0x0101080a))
		s->tsval = bpf_ntohl(ts.val);
}

static __always_inline int to_engine(struct __sk_buff *skb, const struct config *c, __u32 worker)
{
	/* The TUN driver would write the skb's tag into the packet (tun_put_user), and bpf_redirect() takes off an Ethernet
	 * header without tags. Each pop moves the next tag of the frame into the skb. */
	for (int i = 0; i < 3 && (skb->vlan_present || is_tag(skb->protocol)); i++)
		bpf_skb_vlan_pop(skb);
	return bpf_redirect(c->tun[worker & (MAX_WORKERS - 1)], 0);
}

/* Both directions of a flow go to the same worker: the key is the same for both. */
static __always_inline __u32 worker_of(const struct config *c, const struct flow_key *k)
{
	__u32 h = k->addr[0].w[3] ^ k->addr[1].w[3] ^ ((__u32)k->port[0] << 16 | k->port[1]);

	h *= 0x9e3779b1;
	return c->workers > 1 ? (h >> 16) % c->workers : 0;
}

static __always_inline int stale(const struct config *c, __u32 worker)
{
	/* Signed: a beat between the two reads is in the future. */
	return (__s64)(bpf_ktime_get_ns() - c->heartbeat_ns[worker & (MAX_WORKERS - 1)]) > (__s64)STALE_NS;
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

	if (old) {
		if (old->client == me && old->side[me].isn == p->seq) {
			/* Retransmitted; stacks drop options that may have cost them the first one. */
			if (old->state == SYN_SENT)
				read_syn(skb, p, &old->side[me]);
			return;
		}
		if (old->state == SYN_SENT && old->client == (me ^ 1)) {
			forward(old, SYN_SENT, C_SIMULTANEOUS_OPEN);
			return;
		}
	}
	__u32 zero = 0;
	struct scratch *w = bpf_map_lookup_elem(&scratches, &zero);

	if (!w)
		return;
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
	int option = read_syn(skb, p, &h->side[me]);

	if (rule < 0) {
		h->state = FORWARD;
		count(C_UNMATCHED);
	} else {
		count(C_SEEN);
		if (stale(c, worker)) {
			h->state = FORWARD;
			count(C_ENGINE_STALE);
		} else if (rule >> 8) {
			h->state = FORWARD;
			count(C_DECIDED);
		} else if (p->payload) {
			h->state = FORWARD;
			count(C_DATA_IN_SYN);
		} else if (option) {
			__u32 kind = option;
			__u64 *n = bpf_map_lookup_elem(&unsupported, &kind);

			h->state = FORWARD;
			count(C_UNSUPPORTED_OPTION);
			if (n)
				(*n)++;
		}
	}
	bpf_map_update_elem(&handshakes, &p->key, h, BPF_ANY);
}

static __always_inline void on_syn_ack(struct __sk_buff *skb, const struct config *c, const struct packet *p,
				       struct handshake *h)
{
	__u8 me = p->from & 1;

	if (!h) {
		/* The SYN went another way. */
		if (rule_for(c, &p->dst, &p->src, p->sport, c->generation) >= 0)
			count(C_ASYMMETRIC);
		remember_forwarded(p);
		return;
	}
	if ((h->state != SYN_SENT && h->state != SYN_RCVD) || h->client == me)
		return;
	if (p->ack != h->side[me ^ 1].isn + 1)
		return;
	int option = read_syn(skb, p, &h->side[me]);

	if (option) {
		__u32 kind = option;
		__u64 *n = bpf_map_lookup_elem(&unsupported, &kind);

		if (n && h->state != FORWARD)
			(*n)++;
		forward(h, h->state, C_UNSUPPORTED_OPTION);
		return;
	}
	change(h, SYN_SENT, SYN_RCVD);
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
		return 0;
	}
	return 1;
}

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
	if (bpf_map_lookup_elem(&flows, &p.key))
		skb->mark = (skb->mark & ~c->mark_mask) | c->mark;
}

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
		return TC_ACT_OK;
	}
	__u8 opening = p.flags & (TCP_SYN | TCP_ACK | TCP_RST);

	if (!selected(c, p.dport) && !selected(c, p.sport)) {
		if (opening == TCP_SYN)
			count(C_UNMATCHED);
		return TC_ACT_OK;
	}
	make_key(&p);
	__u32 worker = worker_of(c, &p.key);

	if (from_engine && c->making[worker & (MAX_WORKERS - 1)])
		return make_socket(skb, c, &p, worker);
	struct flow *f = bpf_map_lookup_elem(&flows, &p.key);

	if (f) {
		if (opening != TCP_SYN) {
			if (!from_engine) {
				f->side[p.from & 1].ttl = p.ttl;
				f->side[p.from & 1].tos = p.tos;
				if (!(f->live >> (p.from & 1) & 1) && !stale(c, worker)) {
					/* What follows must not overtake it: the engine says when it has been delivered. */
					__sync_fetch_and_or(&f->live, CATCHING_UP);
					return to_engine(skb, c, worker);
				}
			}
			skb->mark = (skb->mark & ~c->mark_mask) | c->mark;
			return TC_ACT_OK;
		}
		/* A SYN for a flow that we hold: the ports may be used again before the engine has cleaned up, so it
		 * has to pass through the engine, which knows. Without an engine the flow is gone. */
		if (!stale(c, worker)) {
			if (!from_engine)
				return to_engine(skb, c, worker);
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
	if (h && h->state == FORWARD)
		return TC_ACT_OK;
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
			return to_engine(skb, c, worker);
		on_rst(&p, h);
		return TC_ACT_OK;
	}
	if (p.flags & TCP_SYN)
		return TC_ACT_OK;
	if (on_segment(skb, c, &p, h, worker))
		return to_engine(skb, c, worker);
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

/* What our sockets send looks as forwarding would have left it: the other end's TTL less one, its DSCP, its flow
 * label, and a timestamp echo from the first segment on (TCP_REPAIR leaves ts_recent 0). */
static __always_inline int dress(struct __sk_buff *skb, __u32 l3)
{
	struct packet p = { .l3 = l3 };

	/* Forwarded packets belong to no socket. */
	if (!skb->sk || !parse_tcp(skb, &p))
		return TC_ACT_OK;
	make_key(&p);
	struct flow *f = bpf_map_lookup_elem(&flows, &p.key);

	if (!f)
		return TC_ACT_OK;
	struct side *mine = &f->side[p.from & 1], *other = &f->side[(p.from & 1) ^ 1];

	if (!(f->live & CATCHING_UP))
		__sync_fetch_and_or(&f->live, 1 << ((p.from & 1) ^ 1));
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
	if ((other->has & mine->has & HAS_TS) && p.options >= 12 && !(p.flags & TCP_RST)) {
		struct {
			__be32 head, val, ecr;
		} ts;

		if (bpf_skb_load_bytes(skb, p.l4 + 20, &ts, 12) == 0 && ts.head == bpf_htonl(0x0101080a) &&
		    ts.ecr == 0) {
			__be32 ecr = bpf_htonl(other->tsval);

			bpf_l4_csum_replace(skb, p.l4 + 16, 0, ecr, 4);
			bpf_skb_store_bytes(skb, p.l4 + 20 + 8, &ecr, 4, 0);
		}
	}
	return TC_ACT_OK;
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
