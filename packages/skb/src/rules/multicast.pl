/*  Dissemination trees: one leader per package, each leader its package (Barrelfish's multicast.pl), made so that the
    last core hears soonest. A send occupies the sender; what follows it (latency, receipt, the child's own sends) is
    its tail.

    A tree is tree(Core, Children), children in the order they are sent to. The same algorithm, faster, is
    src/topology/multicast-tree.ts: monitors get theirs from it, and a test holds the two together.
*/

%!  multicast_tree(+Root, -Tree) is semidet.
%
%   The planned tree: leaders by cost, then exchanged while that helps.
multicast_tree(Root, Tree) :- multicast_tree(Root, Tree, _).

%!  multicast_tree(+Root, -Tree, -Ns) is semidet.
multicast_tree(Root, tree(Root, Children), Ns) :-
    own_and_foreign(Root, Own, Foreign),
    maplist(leaf_branch(Root), Own, Neighbours),
    maplist(leader_choices(Root), Foreign, Choices),
    maplist(first_of, Choices, Chosen),
    append(Chosen, Neighbours, Start),
    finish_ns(Start, StartNs),
    improve(8, Choices, Chosen, Neighbours, StartNs, Leaders, Ns),
    append(Leaders, Neighbours, Branches),
    send_order(Branches, Ordered),
    maplist(branch_tree, Ordered, Children),
    !.

%!  multicast_optimum(+Root, -Tree, -Ns) is semidet.
%
%   The best of all trees of this shape, by CLP(FD): which core leads each package, and in which order everybody sends.
%   For up to 8 cores; costs count in whole nanoseconds.
multicast_optimum(Root, Tree, Ns) :- multicast_optimum(Root, inf, Tree, Ns).

%!  multicast_optimum(+Root, +Below, -Tree, -Ns) is semidet.
%
%   As above, but fails unless one takes less than Below: a proof that none does.
multicast_optimum(Root, Below, tree(Root, Children), Ns) :-
    cores(Cores),
    length(Cores, Count),
    Count =< 8,
    own_and_foreign(Root, Own, Foreign),
    maplist(leaf_job(Root), Own, OwnOptions),
    maplist(package_options(Root), Foreign, ForeignOptions),
    append(ForeignOptions, OwnOptions, Options),
    best_schedule(Options, Below, Children, Ns),
    !.

own_and_foreign(Root, Own, Foreign) :-
    package_of(Root, Here),
    packages(Packages),
    cores_of_package(Here, All),
    selectchk(Root, All, Own),
    selectchk(Here, Packages, Others),
    maplist(cores_of_package, Others, Foreign),
    !.

%   The planned tree

leaf_branch(From, Core, Branch) :- branch(From, tree(Core, []), 0, Branch).

branch(From, Tree, SubtreeNs, branch(Occupancy, Tail, Tree)) :-
    Tree = tree(Core, _),
    send_ns(From, Core, Occupancy),
    latency_ns(From, Core, Latency),
    receive_ns(From, Core, Receive),
    Tail is Latency + Receive + SubtreeNs.

branch_tree(branch(_, _, Tree), Tree).

first_of([First|_], First).

%   Each core of a package as its leader, soonest first, without those that another beats in both costs.
leader_choices(Root, Members, Choices) :-
    findall(key(Sum, Core)-branch(Occupancy, Tail, tree(Core, Children)),
        ( select(Core, Members, Others),
          maplist(leaf_branch(Core), Others, Leaves),
          send_order(Leaves, Ordered),
          finish_ns(Ordered, SubtreeNs),
          maplist(branch_tree, Ordered, Children),
          branch(Root, tree(Core, Children), SubtreeNs, branch(Occupancy, Tail, _)),
          Sum is Occupancy + Tail ),
        Keyed),
    keysort(Keyed, Sorted),
    pairs_values(Sorted, All),
    unbeaten(All, [], Choices).

unbeaten([], _, []).
unbeaten([Choice|More], Kept, Choices) :-
    Choice = branch(Occupancy, Tail, _),
    (   member(branch(O, T, _), Kept), O =< Occupancy, T =< Tail
    ->  Choices = Rest
    ;   Choices = [Choice|Rest]
    ),
    unbeaten(More, [Choice|Kept], Rest).

%   Descending tails are the best order of one sender (Jackson's rule); equal tails by core.
send_order(Branches, Ordered) :-
    findall(key(Minus, Core)-branch(O, T, tree(Core, C)),
        ( member(branch(O, T, tree(Core, C)), Branches), Minus is -T ),
        Keyed),
    keysort(Keyed, Sorted),
    pairs_values(Sorted, Ordered).

finish_ns(Branches, Ns) :- send_order(Branches, Ordered), foldl(finish_one, Ordered, 0-0, _-Ns).

finish_one(branch(Occupancy, Tail, _), Free0-Last0, Free-Last) :-
    Free is Free0 + Occupancy,
    Last is max(Last0, Free + Tail).

%   One round tries every other leader of every package and keeps what lets the last core hear sooner.
improve(0, _, Chosen, _, Ns, Chosen, Ns) :- !.
improve(Rounds, Choices, Chosen0, Neighbours, Ns0, Chosen, Ns) :-
    improve_packages(Choices, [], Chosen0, Neighbours, Ns0, Chosen1, Ns1),
    (   Ns1 =:= Ns0
    ->  Chosen = Chosen1, Ns = Ns1
    ;   Less is Rounds - 1,
        improve(Less, Choices, Chosen1, Neighbours, Ns1, Chosen, Ns)
    ).

improve_packages([], Before, [], _, Ns, Chosen, Ns) :- reverse(Before, Chosen).
improve_packages([[_|Alternatives]|More], Before, [Present|After], Neighbours, Ns0, Chosen, Ns) :-
    best_leader(Alternatives, Before, After, Neighbours, Present-Ns0, Best-Ns1),
    improve_packages(More, [Best|Before], After, Neighbours, Ns1, Chosen, Ns).

best_leader([], _, _, _, Best, Best).
best_leader([Alternative|More], Before, After, Neighbours, Best0-Ns0, Best) :-
    append([Before, [Alternative], After, Neighbours], Branches),
    finish_ns(Branches, Ns),
    (   Ns < Ns0
    ->  Next = Alternative-Ns
    ;   Next = Best0-Ns0
    ),
    best_leader(More, Before, After, Neighbours, Next, Best).

%   The optimum

%   What a sender may do about one child: a list of option(Occupancy, Tail, Tree), one of which is taken.
leaf_job(From, Core, [option(Occupancy, Tail, tree(Core, []))]) :-
    leaf_branch(From, Core, branch(O, T, _)),
    Occupancy is round(O),
    Tail is round(T).

package_options(Root, Members, Options) :-
    findall(option(Occupancy, Tail, tree(Core, Children)),
        ( select(Core, Members, Others),
          maplist(leaf_job(Core), Others, Jobs),
          best_schedule(Jobs, inf, Children, SubtreeNs),
          leaf_job(Root, Core, [option(Occupancy, LeafTail, _)]),
          Tail is LeafTail + SubtreeNs ),
        Options).

%   One sender: picks an option for each child, orders the sends, and minimises when the last core has received. The search
%   is over the options and over who comes before whom; then every start is as early as it can be.
best_schedule([], _, [], 0) :- !.
best_schedule(Options, Below, Trees, Ns) :-
    schedule(Options, Choices, Starts, End, Before),
    append(Choices, Before, Search),
    bound(Below, End),
    best(Search, Choices-Starts, End, none, Choice-Order, Ns),
    maplist(taken, Choice, Options, Order, Keyed),
    keysort(Keyed, Sorted),
    pairs_values(Sorted, Trees).

bound(inf, _) :- !.
bound(Below, End) :- Bound is ceiling(Below), End #< Bound.

%   Solutions with ever smaller ends, until there is none: that is the proof.
best(Search, Answer, End, Known, Best, Ns) :-
    (   improved(Search, Answer, End, Known, Better)
    ->  best(Search, Answer, End, Better, Best, Ns)
    ;   Known = found(Ns, Best)
    ).

improved(Search, Answer, End, Known, found(Ns, Copy)) :-
    findall(Least-Fixed,
        ( ( Known = found(Before, _) -> End #< Before ; true ),
          once(label(Search)),
          fd_inf(End, Least),
          earliest(Answer, Fixed) ),
        [Ns-Copy]).

earliest(Choices-Starts, Choices-Firsts) :- maplist(fd_inf, Starts, Firsts).

taken(Choice, Options, Start, Start-Tree) :- nth1(Choice, Options, option(_, _, Tree)).

schedule(Options, Choices, Starts, End, Before) :-
    horizon(Options, Horizon),
    End in 0..Horizon,
    maplist(job(End, Horizon), Options, Choices, Starts, Jobs),
    one_at_a_time(Jobs, Before).

horizon(Options, Horizon) :-
    findall(Most, ( member(Job, Options), aggregate_all(max(O + T), member(option(O, T, _), Job), Most) ), Mosts),
    sum_list(Mosts, Horizon).

job(End, Horizon, Options, Choice, Start, job(Start, Occupancy, Tail)) :-
    findall(O, member(option(O, _, _), Options), Occupancies),
    findall(T, member(option(_, T, _), Options), Tails),
    Start in 0..Horizon,
    element(Choice, Occupancies, Occupancy),
    element(Choice, Tails, Tail),
    End #>= Start + Occupancy + Tail.

one_at_a_time([], []).
one_at_a_time([Job|More], Before) :-
    maplist(apart(Job), More, First),
    one_at_a_time(More, Rest),
    append(First, Rest, Before).

apart(job(S1, O1, _), job(S2, O2, _), FirstBefore) :-
    FirstBefore in 0..1,
    FirstBefore #==> S1 + O1 #=< S2,
    #\ FirstBefore #==> S2 + O2 #=< S1.
