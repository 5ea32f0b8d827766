# SPDX-License-Identifier: MIT
# Completion of spoutctl for bash: its commands and options are those of --help.
_spoutctl()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
	case $before in
	--admin | --ca-file | --interval | --count | --timeout | scale) words= ;;
	drain) words="on off" ;;
	log-level) words="debug info warning error configured" ;;
	*)
		words=$(spoutctl --help 2>/dev/null |
		    sed -nE 's/^  ([a-z][a-z-]*) .*/\1/p; s/^ +(--[a-z-]+).*/\1/p')
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _spoutctl spoutctl
