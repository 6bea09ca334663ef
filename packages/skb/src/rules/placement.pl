/*  Where to put dispatchers, drivers and servers.

    Cores of a package are alike, so the search is over how many of each package are taken: CLP(FD) minimises the sum of
    distances over all pairs (near), or crowding first and then nearness (far). How far a pair is says nearness.pl.
*/

%!  place(+Kind, +K, -Cores) is semidet.
%
%   K running cores, ascending; Kind is near or far. Fails if there are not so many.
place(Kind, K, Cores) :- cores(Available), place(Kind, K, Available, Cores).

%!  place(+Kind, +K, +Available, -Cores) is semidet.
place(Kind, K, Available, Cores) :- place(Kind, K, Available, Cores, _).

%!  place(+Kind, +K, +Available, -Cores, -Proof) is semidet.
%
%   Proof is optimal, or best_found if the search was longer than its budget (dozens of packages half taken).
place(Kind, K, Available, Cores, Proof) :-
    group_by_package(Available, Unordered),
    maplist(length, Unordered, AllSizes),
    sum_list(AllSizes, Most),
    K =< Most,
    K >= 0,
    nearness(Near),
    ordered(Kind, K, Near, Unordered, Groups),
    maplist(length, Groups, Sizes),
    distances(Groups, Near, Table),
    counts(Kind, K, Sizes, Counts),
    sum(Counts, #=, K),
    pair_sum(Counts, Table, Sum),
    cost_of(Kind, Sum, Cost),
    least(Counts, Cost, Best, Proof),
    maplist(take_of(Kind), Best, Groups, Taken),
    append(Taken, Unsorted),
    sort(Unsorted, Cores),
    !.

cost_of(near, Sum, Sum).
cost_of(far, Sum, Cost) :- Cost #= -Sum.

%!  placed(+Cores, -Packages, -FarthestNs) is det.
%
%   What to report of a placement: its packages, and the distance between the two of its cores that
%   are farthest from one another, by nearness.pl; 0 while a pair of them is not measured.
placed(Cores, Packages, FarthestNs) :-
    findall(Package, ( member(Core, Cores), package_of(Core, Package) ), All),
    sort(All, Packages),
    findall(A-B, ( member(A, Cores), member(B, Cores), A < B ), Pairs),
    (   forall(member(A-B, Pairs), one_way_ns(A, B, _))
    ->  nearness(Near),
        findall(Ns, ( member(A-B, Pairs), near_ns(Near, A, B, Ns) ), Ways),
        max_list([0|Ways], FarthestNs)
    ;   FarthestNs = 0
    ).

%!  driver_core(+Device, -Core) is semidet.
%
%   A core of the node nearest to the device with the fewest drivers. device(Device, Node) says where it hangs;
%   driver_at(Driver, Core) which drivers run already.
driver_core(Device, Core) :-
    device(Device, Node),
    findall(place(Distance, Drivers, Candidate),
        ( running_core(Candidate),
          node_of(Candidate, Near),
          node_distance(Node, Near, Distance),
          aggregate_all(count, driver_at(_, Candidate), Drivers) ),
        Places),
    sort(Places, [place(_, _, Core)|_]),
    !.

%!  server_core(+Clients, -Core, -Ns) is semidet.
%
%   The running core whose farthest client is nearest; among equals the one with the least sum, then the lowest.
server_core(Clients, Core, Ns) :-
    Clients \== [],
    cores(Cores),
    findall(seat(Farthest, Sum, Candidate),
        ( member(Candidate, Cores),
          findall(Each, ( member(Client, Clients), round_trip_ns(Candidate, Client, Each) ), All),
          max_list(All, Farthest),
          sum_list(All, Sum) ),
        Seats),
    sort(Seats, [seat(Ns, _, Core)|_]),
    !.

round_trip_ns(Core, Core, 0) :- !.
round_trip_ns(A, B, Ns) :- distance_ns(A, B, There), distance_ns(B, A, Back), Ns is There + Back.

group_by_package(Cores, Groups) :-
    findall(Package-Core, ( member(Core, Cores), package_of(Core, Package) ), Pairs),
    sort(Pairs, Sorted),
    group_pairs_by_key(Sorted, Grouped),
    pairs_values(Grouped, Groups).

count_in(Size, Count) :- Count in 0..Size.

%   The first answer of the search should be good: near begins with a package whose neighbours are close.
ordered(far, _, _, Groups, Groups).
ordered(near, K, Near, Groups, Ordered) :-
    findall(Sum-Sorted,
        ( member(Seed, Groups),
          findall(Ns-Group, ( member(Group, Groups), from_seed(Near, Seed, Group, Ns) ), Pairs),
          keysort(Pairs, Sorted),
          reach(Sorted, K, 0, Sum) ),
        Seeds),
    keysort(Seeds, [_-Best|_]),
    pairs_values(Best, Ordered).

from_seed(_, Seed, Seed, -1) :- !.
from_seed(Near, Seed, Group, Ns) :- between_groups(Near, Seed, Group, Ns).

%   The sum over the nearest K cores of a seed.
reach(_, K, Sum, Sum) :- K =< 0, !.
reach([], _, Sum, Sum).
reach([Ns-Group|More], K, Sum0, Sum) :-
    length(Group, Size),
    Sum1 is Sum0 + max(0, Ns) * min(K, Size),
    Left is K - Size,
    reach(More, Left, Sum1, Sum).

%   Near: cores of a package are nearer to one another than to others, so the sum is concave along any exchange
%   between two packages; at most one package is taken in part. Far: as even as the sizes allow; what is left goes one
%   to a package.
counts(near, _, Sizes, Counts) :-
    maplist(count_in, Sizes, Counts),
    maplist(in_part, Sizes, Counts, Parts),
    sum(Parts, #=<, 1).
counts(far, K, Sizes, Counts) :-
    max_list([0|Sizes], Largest),
    findall(Level, ( between(0, Largest, Level), level_sum(Sizes, Level, Sum), Sum =< K ), Levels),
    max_list(Levels, Even),
    maplist(even_count(Even), Sizes, Counts).

in_part(Size, Count, Part) :- Part in 0..1, Part #<==> (Count #> 0 #/\ Count #< Size).

level_sum(Sizes, Level, Sum) :- findall(Least, ( member(Size, Sizes), Least is min(Size, Level) ), All), sum_list(All, Sum).

even_count(Level, Size, Count) :- Least is min(Size, Level), Most is min(Size, Level + 1), Count in Least..Most.

%   Rows of mean distances between groups, whole nanoseconds.
distances(Groups, Near, Table) :-
    findall(Row,
        ( member(A, Groups), findall(Ns, ( member(B, Groups), between_groups(Near, A, B, Ns) ), Row) ),
        Table).

between_groups(_, [Only], [Only], 0) :- !.
between_groups(Near, [First|_], Group, Ns) :-
    findall(Each, ( member(Core, Group), Core \== First, near_ns(Near, First, Core, Each) ), All),
    sum_list(All, Sum),
    length(All, Count),
    Ns is max(1, round(Sum / Count)).

%   Twice the sum over pairs, so that it stays whole: each core to all others, but not to itself.
pair_sum(Counts, Table, Sum) :-
    findall(Own, ( nth1(Place, Table, Row), nth1(Place, Row, Own) ), Owns),
    maplist(reach_of(Counts), Counts, Table, Owns, Terms),
    sum(Terms, #=, Sum).

reach_of(Counts, Count, Row, Own, Term) :-
    scalar_product(Row, Counts, #=, Reach),
    Term #= Count * (Reach - Own).

%   Ever cheaper answers, until there is none or the budget is spent.
least(Counts, Cost, Best, Proof) :-
    copy_of_better(Counts, Cost, none, First),
    better_than(First, Counts, Cost, 8, Best, Proof).

better_than(Known, _, _, 0, Best, best_found) :- !, Known = found(_, Best).
better_than(Known, Counts, Cost, Tries, Best, Proof) :-
    (   within_budget(copy_of_better(Counts, Cost, Known, Better), Result)
    ->  (   Result == spent
        ->  Known = found(_, Best), Proof = best_found
        ;   Less is Tries - 1,
            better_than(Better, Counts, Cost, Less, Best, Proof)
        )
    ;   Known = found(_, Best), Proof = optimal
    ).

%   Some 0.2 s: all attempts together stay within the usual time limit of a query.
within_budget(Goal, Result) :-
    call_with_inference_limit(Goal, 800000, Limit),
    (   Limit == inference_limit_exceeded
    ->  Result = spent
    ;   Result = done
    ).

copy_of_better(Counts, Cost, Known, found(Ns, Copy)) :-
    findall(Cost-Counts,
        ( ( Known = found(Before, _) -> Cost #< Before ; true ), once(labeling([down], Counts)) ),
        [Ns-Copy]).

%   Within a package: neighbours in cache come first for near, and apart for far.
take_of(near, Count, Group, Taken) :- by_cache(Group, Ordered), length(Taken, Count), append(Taken, _, Ordered).
take_of(far, Count, Group, Taken) :- apart_in_cache(Group, Ordered), length(Taken, Count), append(Taken, _, Ordered).

by_cache(Group, Ordered) :-
    findall(Key-Core, ( member(Core, Group), smallest_shared(Core, Key) ), Keyed),
    keysort(Keyed, Sorted),
    pairs_values(Sorted, Ordered).

apart_in_cache(Group, Ordered) :-
    findall(Key-Core, ( member(Core, Group), smallest_shared(Core, Key) ), Keyed),
    keysort(Keyed, Sorted),
    group_pairs_by_key(Sorted, Groups),
    pairs_values(Groups, Lists),
    one_of_each(Lists, Ordered).

one_of_each([], []) :- !.
one_of_each(Lists, Ordered) :-
    findall(First, member([First|_], Lists), Firsts),
    findall(Rest, ( member([_|Rest], Lists), Rest \== [] ), Rests),
    one_of_each(Rests, More),
    append(Firsts, More, Ordered).

%   The smallest cache that a core shares with another, or itself.
smallest_shared(Core, Key) :-
    findall(Bytes-Name, ( cache(Name, Core, _, Bytes, Sharing), Sharing > 1 ), All),
    sort(All, Sorted),
    (   Sorted = [_-Key|_]
    ->  true
    ;   Key = Core
    ).
