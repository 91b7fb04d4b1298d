/* SPDX-License-Identifier: MIT */
/* From a packet to the few values that the tracker needs. Nothing here changes a packet. */
#pragma once
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8
#define PROTO_TCP 6
#define PROTO_ICMP 1
#define PROTO_ICMPV6 58

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_ECE 0x40
#define TCP_CWR 0x80

struct packet {
	struct flow_key key;
	struct addr src, dst;
	__u32 l3, l4; /* offsets */
	__u32 seq, ack;
	__u32 payload; /* bytes of TCP payload */
	__u32 options; /* bytes of TCP options */
	__u32 flow_label;
	__u16 sport, dport; /* host byte order */
	__u16 window;
	__u8 flags;
	__u8 ttl, tos;
	__u8 from; /* side of the source in the key */
	__u8 protocol;
	__u8 v6;
};

struct ip4 {
	__u8 vihl, tos;
	__be16 total;
	__be16 id, frag;
	__u8 ttl, protocol;
	__be16 check;
	__be32 src, dst;
};

struct ip6 {
	__be32 vtcfl;
	__be16 payload;
	__u8 next, hop;
	struct addr src, dst;
};

struct tcp {
	__be16 sport, dport;
	__be32 seq, ack;
	__u8 off, flags;
	__be16 window, check, urg;
};

static __always_inline void map4(struct addr *a, __be32 v4)
{
	a->w[0] = 0;
	a->w[1] = 0;
	a->w[2] = bpf_htonl(0xffff);
	a->w[3] = v4;
}

static __always_inline int addr_cmp(const struct addr *a, const struct addr *b)
{
#pragma unroll
	for (int i = 0; i < 4; i++)
		if (a->w[i] != b->w[i])
			return a->w[i] < b->w[i] ? -1 : 1;
	return 0;
}

static __always_inline void make_key(struct packet *p)
{
	int c = addr_cmp(&p->src, &p->dst);

	p->from = c > 0 || (c == 0 && p->sport > p->dport);
	p->key.addr[0] = p->from ? p->dst : p->src;
	p->key.addr[1] = p->from ? p->src : p->dst;
	p->key.port[0] = bpf_htons(p->from ? p->dport : p->sport);
	p->key.port[1] = bpf_htons(p->from ? p->sport : p->dport);
}

/* Early demux (tcp_v4_early_demux) attaches any socket that has a packet's addresses, and a packet with a socket is
 * delivered here, or dropped by ip_forward(). It leaves out whatever has a dst already; the one that belongs to a tunnel
 * key is replaced when the packet is routed (skb_valid_dst), and so means nothing else. */
static __always_inline void pass_sockets_by(struct __sk_buff *skb)
{
	struct bpf_tunnel_key none = {};

	bpf_skb_set_tunnel_key(skb, &none, sizeof none, 0);
}

/* What goes out in the name of this end looks as its packets did when they came in. */
static __always_inline void note_header(struct side *s, const struct packet *p)
{
	s->ttl = p->ttl;
	s->tos = p->tos;
	s->flow_label = p->flow_label;
}

static __always_inline int is_tag(__be16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

/* The kernel has moved a received frame's outer tag into the skb (skb_vlan_untag); what QinQ puts inside it is in the
 * frame still, and so is the inner tag of what an interface stacked on another one sends. A function of its own, so
 * that the verifier sees one unknown offset instead of a path for each. */
__noinline int behind_tags(struct __sk_buff *skb)
{
	__be16 type = skb->protocol;
	__u32 at = 14;

	for (int i = 0; i < 2 && is_tag(type); i++) {
		if (bpf_skb_load_bytes(skb, at + 2, &type, 2))
			return 0;
		at += 4;
	}
	return type == bpf_htons(ETH_P_IP) || type == bpf_htons(ETH_P_IPV6) ? at : 0;
}

/* Where the network header of an Ethernet frame begins, or 0 for a frame that holds no IP. */
static __always_inline __u32 network_offset(struct __sk_buff *skb)
{
	__be16 type = skb->protocol;

	if (type == bpf_htons(ETH_P_IP) || type == bpf_htons(ETH_P_IPV6))
		return 14;
	return is_tag(type) ? behind_tags(skb) : 0;
}

/* What a header says that has a wrong checksum has not been said (RFC 1122 section 3.2.1.2): ip_rcv() drops it, but only
 * behind us. One with options is left to it unread. */
static __always_inline int is_damaged(const struct ip4 *ip)
{
	const __u16 *word = (const __u16 *)ip;
	__u32 sum = 0;

#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (ip->vihl & 15) == 5 && ((sum + (sum >> 16)) & 0xffff) != 0xffff;
}

/* Reads the network header at p->l3. Returns the offset behind it, or 0 for what is not ours to look at: no IP,
 * and every fragment, since only the first of them names its ports (RFC 791 section 3.2). */
static __always_inline __u32 parse_ip(struct __sk_buff *skb, struct packet *p, __u32 *end, __u8 version_byte)
{
	__u32 at = p->l3;

	if (version_byte >> 4 == 4) {
		struct ip4 ip;

		if (bpf_skb_load_bytes(skb, at, &ip, sizeof ip))
			return 0;
		if (ip.frag & bpf_htons(0x3fff) || is_damaged(&ip))
			return 0;
		__u32 length = (ip.vihl & 15) * 4;
		if (length < 20)
			return 0;
		map4(&p->src, ip.src);
		map4(&p->dst, ip.dst);
		p->ttl = ip.ttl;
		p->tos = ip.tos;
		p->protocol = ip.protocol;
		/* A total length of 0 is a BIG TCP packet, larger than 16 bits can say (kernel: iph_totlen). */
		*end = ip.total ? at + bpf_ntohs(ip.total) : skb->len;
		return at + length;
	}
	if (version_byte >> 4 == 6) {
		struct ip6 ip;

		if (bpf_skb_load_bytes(skb, at, &ip, sizeof ip))
			return 0;
		p->src = ip.src;
		p->dst = ip.dst;
		p->ttl = ip.hop;
		p->tos = bpf_ntohl(ip.vtcfl) >> 20 & 0xff;
		p->flow_label = ip.vtcfl & bpf_htonl(0xfffff);
		p->v6 = 1;
		*end = ip.payload ? at + 40 + bpf_ntohs(ip.payload) : skb->len;
		__u8 next = ip.next;
		at += sizeof ip;
		/* Hop-by-hop, routing and destination options (RFC 8200 section 4.1); a fragment header ends the search. */
#pragma unroll
		for (int i = 0; i < 6; i++) {
			__u8 ext[2];

			if (next != 0 && next != 43 && next != 60)
				break;
			if (bpf_skb_load_bytes(skb, at, ext, 2))
				return 0;
			next = ext[0];
			at += (ext[1] + 1) * 8;
		}
		p->protocol = next;
		return at;
	}
	return 0;
}

static __always_inline void fill_tcp(struct packet *p, const struct tcp *tcp, __u32 header, __u32 end)
{
	p->sport = bpf_ntohs(tcp->sport);
	p->dport = bpf_ntohs(tcp->dport);
	p->seq = bpf_ntohl(tcp->seq);
	p->ack = bpf_ntohl(tcp->ack);
	p->flags = tcp->flags;
	p->window = bpf_ntohs(tcp->window);
	p->options = header - 20;
	p->payload = end - p->l4 - header;
}

/* The same as parse_tcp() for what nearly every packet is, read where it lies: TCP right behind an IPv4 header without
 * options or an IPv6 header without extensions, all of it in the linear part. Returns 0 for anything else. */
static __always_inline int parse_usual_tcp(struct __sk_buff *skb, struct packet *p)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;

	if (p->l3 > 64)
		return 0;
	const struct ip4 *ip = data + p->l3;
	const struct ip6 *ip6 = data + p->l3;
	const struct tcp *tcp;
	__u32 end;

	if ((void *)(ip + 1) + sizeof *tcp > data_end)
		return 0;
	if (ip->vihl == 0x45) {
		if (ip->protocol != PROTO_TCP || !ip->total || ip->frag & bpf_htons(0x3fff) || is_damaged(ip))
			return 0;
		map4(&p->src, ip->src);
		map4(&p->dst, ip->dst);
		p->ttl = ip->ttl;
		p->tos = ip->tos;
		p->l4 = p->l3 + sizeof *ip;
		end = p->l3 + bpf_ntohs(ip->total);
		tcp = (const void *)(ip + 1);
	} else {
		if ((void *)(ip6 + 1) + sizeof *tcp > data_end || ip->vihl >> 4 != 6 || ip6->next != PROTO_TCP ||
		    !ip6->payload)
			return 0;
		p->src = ip6->src;
		p->dst = ip6->dst;
		p->ttl = ip6->hop;
		p->tos = bpf_ntohl(ip6->vtcfl) >> 20 & 0xff;
		p->flow_label = ip6->vtcfl & bpf_htonl(0xfffff);
		p->v6 = 1;
		p->l4 = p->l3 + sizeof *ip6;
		end = p->l4 + bpf_ntohs(ip6->payload);
		tcp = (const void *)(ip6 + 1);
	}
	__u32 header = (tcp->off >> 4) * 4;

	if (header < 20 || p->l4 + header > end)
		return 0;
	p->protocol = PROTO_TCP;
	fill_tcp(p, tcp, header, end);
	return 1;
}

/* Fills p for a TCP packet. Returns 1 for TCP, 0 for anything else; p->protocol then says what it was. */
static __always_inline int parse_tcp(struct __sk_buff *skb, struct packet *p)
{
	struct tcp tcp;
	__u8 version;
	__u32 end = 0;

	if (parse_usual_tcp(skb, p))
		return 1;
	if (bpf_skb_load_bytes(skb, p->l3, &version, 1))
		return 0;
	p->l4 = parse_ip(skb, p, &end, version);
	if (!p->l4) {
		p->protocol = 255;
		return 0;
	}
	if (p->protocol != PROTO_TCP || bpf_skb_load_bytes(skb, p->l4, &tcp, sizeof tcp))
		return 0;
	__u32 header = (tcp.off >> 4) * 4;
	if (header < 20 || p->l4 + header > end) {
		p->protocol = 255;
		return 0;
	}
	fill_tcp(p, &tcp, header, end);
	return 1;
}

/* The timestamps option in the form that nearly every stack sends: NOP NOP TS first (RFC 7323 appendix A). */
struct timestamps {
	__be32 head, val, ecr;
};

static __always_inline int find_timestamps(struct __sk_buff *skb, const struct packet *p, struct timestamps *ts)
{
	return p->options >= 12 && bpf_skb_load_bytes(skb, p->l4 + 20, ts, sizeof *ts) == 0 &&
	       ts->head == bpf_htonl(0x0101080a);
}
