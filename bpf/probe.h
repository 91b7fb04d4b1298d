/* SPDX-License-Identifier: MIT */
/* Keep-alives and window probes of an end, and their answers: what lets each end ask the other one, and not us. Included
 * behind the map of flows. */
#pragma once

/* One of our two sockets of a flow. */
struct leg {
	__u32 received, sent, acknowledged; /* behind what came in order, what it has sent, what its peer has acknowledged */
	__u32 state;
};

/* The socket that faces the sender of p, or with `other` the one that faces its destination; 0: it is not there, or its
 * peer need not answer any more. */
static __always_inline int find_leg(struct __sk_buff *skb, const struct packet *p, int other, struct leg *leg)
{
	struct bpf_sock_tuple tuple = {};
	const struct addr *from = other ? &p->dst : &p->src, *to = other ? &p->src : &p->dst;
	__be16 sport = bpf_htons(other ? p->dport : p->sport), dport = bpf_htons(other ? p->sport : p->dport);
	struct bpf_sock *sk;
	int found = 0;

	if (p->v6) {
		__builtin_memcpy(tuple.ipv6.saddr, from, 16);
		__builtin_memcpy(tuple.ipv6.daddr, to, 16);
		tuple.ipv6.sport = sport;
		tuple.ipv6.dport = dport;
		sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof tuple.ipv6, BPF_F_CURRENT_NETNS, 0);
	} else {
		tuple.ipv4.saddr = from->w[3];
		tuple.ipv4.daddr = to->w[3];
		tuple.ipv4.sport = sport;
		tuple.ipv4.dport = dport;
		sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof tuple.ipv4, BPF_F_CURRENT_NETNS, 0);
	}
	if (!sk)
		return 0;
	struct bpf_tcp_sock *tcp = bpf_tcp_sock(sk);

	if (tcp && (sk->state == BPF_TCP_ESTABLISHED || sk->state == BPF_TCP_FIN_WAIT1 ||
		    sk->state == BPF_TCP_FIN_WAIT2 || sk->state == BPF_TCP_CLOSE_WAIT)) {
		leg->received = tcp->rcv_nxt;
		leg->sent = tcp->snd_nxt;
		leg->acknowledged = tcp->snd_una;
		leg->state = sk->state;
		found = 1;
	}
	bpf_sk_release(sk);
	return found;
}

/* 0 where the two ends have not agreed on timestamps, or a segment bears none. */
static __always_inline int load_timestamps(struct __sk_buff *skb, const struct packet *p, const struct flow *f,
					   struct timestamps *ts)
{
	return f->side[0].has & f->side[1].has & HAS_TS && find_timestamps(skb, p, ts);
}

/* Overwrites a number of the TCP header. */
static __always_inline void put_number(struct __sk_buff *skb, const struct packet *p, __u32 at, __u32 old, __u32 number)
{
	__be32 from = bpf_htonl(old), to = bpf_htonl(number);

	bpf_l4_csum_replace(skb, p->l4 + 16, from, to, 4);
	bpf_skb_store_bytes(skb, p->l4 + at, &to, 4, 0);
}

/* A keep-alive, or Linux's probe of a closed window, asks whether the *other end* is there (RFC 9293 section 3.8.4). Our
 * socket must not answer for it, so the probe goes on to the other end: as an old segment of that leg, to which an end
 * answers with an acknowledgement and which means nothing else (section 3.10.7.4). The leg may be behind, when the
 * other end takes its time: then what is old there is less than here. Returns 1 when it is to be forwarded. */
__noinline int pass_probe(struct __sk_buff *skb, const struct packet *p)
{
	struct leg near, far;

	if (!p)
		return 0;
	struct flow *f = bpf_map_lookup_elem(&flows, &p->key);

	if (!f || !find_leg(skb, p, 0, &near))
		return 0;
	__u8 me = p->from & 1;

	f->next[me] = near.received;
	if (p->seq + 1 != near.received || !find_leg(skb, p, 1, &far))
		return 0;
	put_number(skb, p, 4, p->seq, far.acknowledged - 1);
	struct timestamps ts;

	if (load_timestamps(skb, p, f, &ts)) {
		__u32 sent = bpf_ntohl(ts.val), echo = f->echo[me] ? f->echo[me] : f->side[me ^ 1].tsval;

		/* Each leg has a clock of its own, a little before or behind the end's; a bare acknowledgement that looks
		 * older than what came before it is dropped without an answer (RFC 7323 section 5.3). */
		f->side[me].tsval = sent;
		if ((__s32)(f->stamp[me] - sent) > 0)
			put_number(skb, p, 24, sent, f->stamp[me]);
		put_number(skb, p, 28, bpf_ntohl(ts.ecr), echo);
	}
	__sync_fetch_and_or(&f->live, PROBED << me);
	pass_sockets_by(skb);
	return 1;
}

/* Old by more than a delayed acknowledgement can be behind. */
#define LONG_AGO (1 << 20)

/* The other end of a passed probe has been heard: the bare acknowledgement in the packet goes to its socket, and the same
 * packet turned round, as an old segment, to the socket that faces the end that asked, which acknowledges. Both by the
 * TUN, for which no reverse path filter asks by which interface they came. */
__noinline int answer_probe(struct __sk_buff *skb, const struct packet *p, __u32 tun)
{
	struct leg asked;

	if (!p)
		return TC_ACT_OK;
	struct flow *f = bpf_map_lookup_elem(&flows, &p->key);
	__u32 bit = PROBED << ((p->from & 1) ^ 1);

	if (!f || !(__sync_fetch_and_and(&f->live, ~bit) & bit) || !find_leg(skb, p, 1, &asked))
		return TC_ACT_OK;
	if (bpf_clone_redirect(skb, tun, BPF_F_INGRESS))
		return TC_ACT_OK;
	if (p->v6) {
		bpf_skb_store_bytes(skb, p->l3 + 8, &p->dst, 16, 0);
		bpf_skb_store_bytes(skb, p->l3 + 24, &p->src, 16, 0);
	} else {
		bpf_skb_store_bytes(skb, p->l3 + 12, &p->dst.w[3], 4, 0);
		bpf_skb_store_bytes(skb, p->l3 + 16, &p->src.w[3], 4, 0);
	}
	/* The checksum is a sum: nothing changes by the order of what is added up. */
	__be16 ports[2] = { bpf_htons(p->dport), bpf_htons(p->sport) };

	bpf_skb_store_bytes(skb, p->l4, ports, 4, 0);
	put_number(skb, p, 4, p->seq, asked.received - LONG_AGO);
	put_number(skb, p, 8, p->ack, asked.acknowledged);
	struct timestamps ts;

	if (load_timestamps(skb, p, f, &ts))
		put_number(skb, p, 24, bpf_ntohl(ts.val), f->side[(p->from & 1) ^ 1].tsval);
	return bpf_redirect(tun, BPF_F_INGRESS);
}
