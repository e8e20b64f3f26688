"""What commands write where a person says: folders of results, single files."""
